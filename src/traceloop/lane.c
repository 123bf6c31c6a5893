// SPDX-License-Identifier: Apache-2.0
#include "traceloop/lane.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A place in a lane's history. */
struct position {
	uint32_t lap, place;
};

static struct position end_of(const struct loop_lane *lane)
{
	uint64_t end = __atomic_load_n(&lane->end, __ATOMIC_ACQUIRE);

	return (struct position){(uint32_t)(end >> 32), (uint32_t)end};
}

/* The end of the newest record, and where the lap before that one's ended. */
static struct position stable_end(const struct loop_lane *lane, uint64_t *ret_last_end)
{
	struct position before, after = end_of(lane);

	do {
		before = after;
		*ret_last_end = __atomic_load_n(&lane->last_end, __ATOMIC_ACQUIRE);
		after = end_of(lane);
	} while (before.lap != after.lap);
	return after;
}

/* ---- records --------------------------------------------------------------------- */

static size_t head_size(const struct loop_record *r)
{
	if (r->kind == LOOP_EXIT)
		return sizeof(struct loop_exit);
	return sizeof(struct loop_enter) + r->n_args * sizeof(uint64_t);
}

static const char *parts_end(const struct loop_record *r)
{
	return (const char *)r + r->size - sizeof(struct loop_footer);
}

const struct loop_part *record_part(const struct loop_record *r, const struct loop_part *p)
{
	const char *at =
		p ? (const char *)(p + 1) + (p->size + 7) / 8 * 8 : (const char *)r + head_size(r);

	if (at + sizeof(*p) > parts_end(r))
		return NULL;
	p = (const void *)at;
	return (const char *)(p + 1) + (p->size + 7) / 8 * 8 <= parts_end(r) ? p : NULL;
}

static bool is_sound(const struct loop_record *r, const struct loop_footer *f)
{
	return r->size == f->size && r->seq == f->seq && f->magic == LOOP_MAGIC &&
	       (r->kind == LOOP_ENTER || r->kind == LOOP_EXIT) && r->n_args <= LOOP_ARGS &&
	       head_size(r) + sizeof(*f) <= r->size;
}

/*
 * Walks back from `end` to `from`, and puts each record in front of those that are there. False:
 * one is not as it should be, or began before `from`.
 */
static bool walk_back(struct lane_copy *c, size_t end, size_t from, size_t *front)
{
	while (end > from) {
		const struct loop_footer *f = (const void *)(c->bytes + end - sizeof(*f));
		const struct loop_record *r;

		if (end < sizeof(*f) || f->size % 8 || f->size > end ||
		    f->size < sizeof(*r) + sizeof(*f))
			return false;
		r = (const void *)(c->bytes + end - f->size);
		if (end - f->size < from || !is_sound(r, f))
			return false;
		if (c->n && c->records[*front]->seq != r->seq + 1)
			return false;
		c->records[--*front] = r;
		c->n++;
		end -= f->size;
	}
	return true;
}

/* ---- the copy -------------------------------------------------------------------- */

/*
 * What is whole of the lap that ends at `end`, then of the one before. `now` is where the writer
 * was after the copy was made: it may have written a record's length beyond that.
 */
static void find_records(struct lane_copy *c, struct position end, uint64_t last_end,
			 struct position now, size_t most, size_t *front)
{
	size_t written = now.place + LOOP_RECORD;

	if (end.place > most || last_end > most || now.lap > end.lap + 1)
		return;
	if (now.lap == end.lap + 1) {
		walk_back(c, end.place, written, front);
		return;
	}
	if (walk_back(c, end.place, 0, front) && end.lap)
		walk_back(c, last_end, written, front);
}

/* Returns the records that there had been when it began. */
static uint64_t copy_once(const struct loop_lane *lane, size_t size, size_t most,
			  struct lane_copy *c)
{
	uint64_t seq = __atomic_load_n(&lane->seq, __ATOMIC_ACQUIRE), last_end;
	struct position end = stable_end(lane, &last_end);
	size_t front = most;

	if (!end.lap && !end.place)
		return seq;
	memcpy(c->bytes, lane + 1, size);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	find_records(c, end, last_end, end_of(lane), size, &front);
	memmove(c->records, c->records + front, c->n * sizeof(*c->records));
	return seq;
}

/*
 * A lap may take no longer than another process has our CPU. Where the writer went round meanwhile
 * nothing is left of the copy, and it is made anew.
 */
enum { COPIES = 10 };

void lane_copy(const struct loop_lane *lane, size_t lane_bytes, struct lane_copy *ret)
{
	size_t size = lane_bytes + LOOP_RECORD;
	size_t most = size / (sizeof(struct loop_exit) + sizeof(struct loop_footer)) + 1;
	struct lane_copy c = {.bytes = xrealloc(NULL, size, 1)};
	uint64_t seq = 0;

	c.records = xrealloc(NULL, most, sizeof(*c.records));
	c.counts.lost = __atomic_load_n(&lane->lost, __ATOMIC_RELAXED);
	for (int i = 0; i < COPIES && !c.n && (!i || seq); i++)
		seq = copy_once(lane, size, most, &c);
	/* Records that came after `seq` was read are counted by their own numbers. */
	if (c.n)
		seq += (uint32_t)(c.records[c.n - 1]->seq - (uint32_t)seq);
	c.counts.kept = c.n;
	c.counts.overwritten = seq - c.n;
	*ret = c;
}

void lane_copy_done(struct lane_copy *c)
{
	free(c->bytes);
	free(c->records);
	*c = (struct lane_copy){0};
}
