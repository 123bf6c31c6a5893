/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record file's chunks on their way in, whatever they hold: read, bounded, summed and unpacked.
 * A chunk is begun, then either finished or skipped; the start of its payload may be looked at in
 * between. The first fault ends the reading: its place and nature are said, and said again by
 * later calls.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "recorder/format.h"

struct chunk_input {
	int fd;
	uint32_t version;
	bool seekable;
	uint64_t size;	 /* of the file when it was opened, where it is seekable */
	uint64_t offset; /* of what is read next */
	uint64_t start;	 /* of the chunk */
	struct chunk_head head;
	size_t have;		/* bytes of the payload that were read */
	unsigned char *payload; /* then the check sum */
	size_t room;
	const unsigned char
		*content; /* of a finished chunk, behind its fixed part, unpacked; aligned */
	size_t length;
	unsigned char *unpacked;
	size_t unpacked_room;
	struct ZSTD_DCtx_s *zstd;
	struct err fault; /* .code != 0: nothing more is read */
};

/* Reads the file's head; fd is taken over, also when it fails. */
int chunk_input_open(struct chunk_input *in, int fd);
void chunk_input_done(struct chunk_input *in);

/* Its type and length. 1: there is none, the file ends where a chunk would begin. */
int chunk_begin(struct chunk_input *in);
/* The first n bytes of its payload are in in->payload. */
int chunk_peek(struct chunk_input *in, size_t n);
/* The rest; what stands behind the first `fixed` bytes is in->content. */
int chunk_finish(struct chunk_input *in);
int chunk_skip(struct chunk_input *in);
int chunk_seek(struct chunk_input *in, uint64_t offset); /* where another chunk begins */

/* How many bytes of a chunk's payload are its fixed part: all where nothing is packed. */
size_t chunk_fixed(const struct chunk_input *in);

__attribute__((format(printf, 3, 4))) int chunk_fault(struct chunk_input *in, uint64_t offset,
						      const char *fmt, ...);
