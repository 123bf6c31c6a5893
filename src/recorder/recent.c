// SPDX-License-Identifier: Apache-2.0
#include "recorder/recent.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_ROOM 4096

/* Before each block. */
struct head {
	uint64_t number;
	uint32_t size;
	uint32_t unused;
};

/* Bytes of a block with its head. */
static size_t whole(uint32_t size)
{
	return sizeof(struct head) + (((size_t)size + 7) & ~(size_t)7);
}

static struct head *head_at(const struct recent *r, size_t at)
{
	return (struct head *)(r->data + at);
}

/* Blocks lie from first to edge, and from 0 to end. */
static bool is_wrapped(const struct recent *r)
{
	return r->n && r->first >= r->end;
}

void recent_init(struct recent *r, size_t max)
{
	*r = (struct recent){.max = max};
}

void recent_done(struct recent *r)
{
	free(r->data);
	*r = (struct recent){0};
}

static void drop_first(struct recent *r)
{
	bool wrapped = is_wrapped(r);

	r->first += whole(head_at(r, r->first)->size);
	if (!--r->n)
		r->first = r->end = 0;
	else if (wrapped && r->first == r->edge)
		r->first = 0;
}

/* ---- memory ---------------------------------------------------------------------- */

/* Bytes of all blocks. */
static size_t used(const struct recent *r)
{
	return is_wrapped(r) ? r->edge - r->first + r->end : r->end - r->first;
}

/* The blocks, in order and from the start, in so many bytes of new memory. */
static void move(struct recent *r, size_t room)
{
	char *data = xcalloc(room, 1);
	size_t before_edge = is_wrapped(r) ? r->edge - r->first : r->end - r->first;

	if (r->n) {
		memcpy(data, r->data + r->first, before_edge);
		if (is_wrapped(r))
			memcpy(data + before_edge, r->data, r->end);
	}
	r->end = used(r);
	r->first = 0;
	free(r->data);
	r->data = data;
	r->room = room;
}

/* Doubled until `bytes` more have a place behind what is there; false: the bound forbids it. */
static bool make_larger(struct recent *r, size_t bytes)
{
	size_t room = r->room ?: FIRST_ROOM;

	while (room < used(r) + bytes)
		room *= 2;
	if (room == r->room && is_wrapped(r)) /* the place is there, but in two parts */
		room *= 2;
	if (room > r->max)
		room = r->max;
	if (room <= r->room || room < used(r) + bytes)
		return false;
	move(r, room);
	return true;
}

void recent_resize(struct recent *r, size_t max)
{
	r->max = max;
	if (r->room <= max)
		return;
	while (r->n && used(r) > max)
		drop_first(r);
	if (r->n) {
		move(r, max);
		return;
	}
	free(r->data);
	r->data = NULL;
	r->room = 0;
}

/* ---- blocks ---------------------------------------------------------------------- */

/* Where `bytes` fit as things are; false: nowhere. */
static bool find_place(struct recent *r, size_t bytes, size_t *ret)
{
	if (!r->n)
		r->first = r->end = 0;
	if (is_wrapped(r)) {
		*ret = r->end;
		return r->first - r->end >= bytes;
	}
	*ret = r->end;
	if (r->room - r->end >= bytes)
		return true;
	*ret = 0; /* at the start again */
	return r->n && r->first >= bytes;
}

void *recent_push(struct recent *r, uint32_t size)
{
	size_t bytes = whole(size), at;
	struct head *h;

	r->last++;
	if (bytes > r->max)
		return NULL;
	while (!find_place(r, bytes, &at))
		if (!make_larger(r, bytes))
			drop_first(r);
	if (r->n && !is_wrapped(r) && at < r->end)
		r->edge = r->end;
	r->end = at + bytes;
	r->n++;
	h = head_at(r, at);
	*h = (struct head){r->last, size, 0};
	return h + 1;
}

void recent_skip(struct recent *r, uint64_t n)
{
	r->last += n;
}

void recent_each(const struct recent *r, recent_fn *fn, void *ctx)
{
	bool wrapped = is_wrapped(r);
	size_t at = r->first;

	for (size_t i = 0; i < r->n; i++) {
		const struct head *h = head_at(r, at);

		fn(ctx, h->number, h + 1, h->size);
		at += whole(h->size);
		if (wrapped && at == r->edge) {
			at = 0;
			wrapped = false;
		}
	}
}
