// SPDX-License-Identifier: Apache-2.0
#include "recorder/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { END_BYTES = sizeof(struct chunk_head) + sizeof(struct end_chunk) + sizeof(uint32_t) };
enum { SCAN_CHUNKS = 1024 }; /* at a time: some milliseconds */

void record_index_done(struct record_index *x)
{
	free(x->entries);
	*x = (struct record_index){0};
}

/* ---- the file's own -------------------------------------------------------------- */

/* One part of the index. The last part is read first: all is collected backwards. */
static int add_backwards(struct record_index *x, struct chunk_input *in)
{
	size_t n = in->length / sizeof(*x->entries);

	if (!n || in->length % sizeof(*x->entries) || x->n + n > INDEX_MAX_ENTRIES)
		return -EBADMSG;
	while (n--)
		memcpy(grow(&x->entries, &x->n, &x->room), in->content + n * sizeof(*x->entries),
		       sizeof(*x->entries));
	return 0;
}

static void turn_round(struct record_index *x)
{
	for (size_t i = 0, j = x->n; i + 1 < j; i++) {
		struct index_entry first = x->entries[i];

		x->entries[i] = x->entries[--j];
		x->entries[j] = first;
	}
}

/* The chunk at `offset`, which must be of this type. */
static int chunk_at(struct chunk_input *in, uint64_t offset, enum chunk_type type)
{
	int e = chunk_seek(in, offset) ?: chunk_begin(in);

	if (!e && in->head.type != (uint32_t)type)
		e = -EBADMSG;
	return e ?: chunk_finish(in);
}

/* In order, and within the file: what an index leads to is checked again when it is read. */
static bool in_order(const struct record_index *x, uint64_t size)
{
	uint64_t least = sizeof(struct file_head);

	for (size_t i = 0; i < x->n; i++) {
		if (x->entries[i].offset < least || x->entries[i].offset >= size)
			return false;
		least = x->entries[i].offset + 1;
	}
	return true;
}

/* The last chunk says where the index is. */
static int find_own(struct record_index *x, struct chunk_input *in)
{
	struct end_chunk end;
	int e;

	if (in->size < sizeof(struct file_head) + END_BYTES)
		return -ENODATA;
	e = chunk_at(in, in->size - END_BYTES, CHUNK_END);
	if (e || in->head.length != sizeof(end))
		return -EBADMSG;
	memcpy(&end, in->payload, sizeof(end));
	x->at = x->last_index = end.index;
	return 0;
}

/* One chunk of it; 1: there are more. */
static int load_own(struct record_index *x, struct chunk_input *in)
{
	struct index_head head;
	int e = chunk_at(in, x->at, CHUNK_INDEX) ?: add_backwards(x, in);

	if (e)
		return -EBADMSG;
	memcpy(&head, in->payload, sizeof(head));
	if (head.previous >= x->at)
		return -EBADMSG;
	x->at = head.previous;
	return x->at != 0;
}

static int finish_own(struct record_index *x, struct chunk_input *in)
{
	turn_round(x);
	x->whole = true;
	return in_order(x, in->size) ? 0 : -EBADMSG;
}

/* ---- made anew ------------------------------------------------------------------- */

struct index_entry index_entry_of(const struct chunk_input *in)
{
	struct index_entry entry = {.offset = in->start, .type = in->head.type};
	struct block_head block;

	if (in->head.type == CHUNK_ROWS) {
		memcpy(&block, in->payload, sizeof(block));
		entry.rows = block.rows;
		entry.span = block.span;
	}
	return entry;
}

static int scan_chunk(struct record_index *x, struct chunk_input *in)
{
	if (!in->head.type)
		return -EBADMSG; /* zeroes, as a crash leaves them */
	if (in->head.type == CHUNK_INDEX)
		x->last_index = in->start;
	if (in->head.type == CHUNK_INDEX || in->head.type == CHUNK_END)
		return chunk_skip(in);
	if (x->n == INDEX_MAX_ENTRIES)
		return -E2BIG;
	if ((in->head.type == CHUNK_ROWS && chunk_peek(in, sizeof(struct block_head))) ||
	    chunk_skip(in))
		return -EBADMSG;
	*grow(&x->entries, &x->n, &x->room) = index_entry_of(in);
	return 0;
}

/* Some chunks from x->at on; 1: there may be more. */
static int scan(struct record_index *x, struct chunk_input *in)
{
	int e = chunk_seek(in, x->at);

	for (int i = 0; !e && i < SCAN_CHUNKS; i++) {
		e = chunk_begin(in);
		if (!e)
			e = scan_chunk(x, in);
	}
	x->at = in->offset;
	if (e == -E2BIG)
		record_index_done(x);
	return !e;
}

static void begin_scan(struct record_index *x)
{
	record_index_done(x);
	x->state = INDEX_SCAN;
	x->at = sizeof(struct file_head);
}

/* ---- either ---------------------------------------------------------------------- */

/* Back where it was, whatever was found. */
static bool leave(struct record_index *x, struct chunk_input *in, uint64_t back)
{
	in->fault = (struct err){0};
	chunk_seek(in, back);
	return x->state != INDEX_READY;
}

bool record_index_begin(struct record_index *x, struct chunk_input *in)
{
	const uint64_t back = in->offset;

	*x = (struct record_index){.state = INDEX_OWN};
	if (find_own(x, in)) {
		begin_scan(x);
	} else if (!x->at) { /* it ends properly, and has no index */
		x->whole = true;
		x->state = INDEX_READY;
	}
	return leave(x, in, back);
}

bool record_index_go_on(struct record_index *x, struct chunk_input *in)
{
	const uint64_t back = in->offset;
	int e;

	if (x->state == INDEX_SCAN) {
		x->state = scan(x, in) ? INDEX_SCAN : INDEX_READY;
		return leave(x, in, back);
	}
	e = load_own(x, in);
	if (!e)
		e = finish_own(x, in);
	if (e < 0)
		begin_scan(x);
	else if (!e)
		x->state = INDEX_READY;
	return leave(x, in, back);
}

void record_index_load(struct record_index *x, struct chunk_input *in)
{
	bool more = record_index_begin(x, in);

	while (more)
		more = record_index_go_on(x, in);
}
