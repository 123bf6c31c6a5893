/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record file's chunks on their way out: packed, summed, written whole, and listed in the index.
 * The first failure stays: later calls return it and write nothing, so that a file never continues
 * behind a hole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/format.h"

struct chunk_output {
	int fd;
	int error;	     /* the first one, -errno */
	uint64_t offset;     /* in the file */
	uint64_t rows;	     /* of this section */
	uint64_t last_index; /* where the last index chunk begins; 0: none yet */
	struct index_entry entries[INDEX_ENTRIES]; /* since then */
	size_t n_entries;
	struct ZSTD_CCtx_s *zstd;
	unsigned char *chunk; /* in the making */
	size_t room;
};

void chunk_output_init(struct chunk_output *o, int fd); /* fd is taken over */
int chunk_output_done(struct chunk_output *o);		/* closes it; the first error */

int output_bytes(struct chunk_output *o, const void *bytes,
		 size_t n); /* as they are: the file's head */

/* A chunk of a fixed part and of content, which is packed; packed NULL: without. */
int output_chunk(struct chunk_output *o, enum chunk_type type, const void *fixed, size_t n,
		 const void *content, size_t length);
int output_rows(struct chunk_output *o, const struct block_head *head, const void *rows,
		size_t length);
int output_end(struct chunk_output *o); /* the section's, behind the rest of the index */

/* Lists a chunk that is in the file already. */
void output_list(struct chunk_output *o, const struct index_entry *entry);

/* Bytes that `length` bytes of rows need at most; those of the index and end, with them listed. */
size_t output_rows_bytes(size_t length);
size_t output_end_bytes(const struct chunk_output *o);
