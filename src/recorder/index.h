/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a record file: where its chunks lie, and of blocks of rows what they have. It is
 * read from the file's own, which the last chunk names; of a file that has no last chunk, or whose
 * index is broken, it is made by going through the heads of its chunks.
 */
#pragma once

#include "recorder/input.h"

struct record_index {
	struct index_entry *entries; /* in order of their offsets */
	size_t n, room;
	bool whole;	     /* the file ends properly, and this is all of it */
	uint64_t last_index; /* where the file's last index chunk begins; 0: none */
	enum { INDEX_READY, INDEX_OWN, INDEX_SCAN } state;
	uint64_t at; /* where it is gone on with */
};

/* The entry of a chunk whose fixed part was read. */
struct index_entry index_entry_of(const struct chunk_input *in);

/*
 * `in` is a file of version 2 that can be sought in; it is back where it was afterwards, without
 * fault. An index that cannot be had is empty.
 */
void record_index_load(struct record_index *x, struct chunk_input *in);
/* The same in parts, each of which takes a few milliseconds. True: there is more to do. */
bool record_index_begin(struct record_index *x, struct chunk_input *in);
bool record_index_go_on(struct record_index *x, struct chunk_input *in);
void record_index_done(struct record_index *x); /* zeroed is fine */
