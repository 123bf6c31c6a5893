// SPDX-License-Identifier: Apache-2.0
/* A list of blocks, each with records one after the other. See hold.h. */
#include "traces/hold.h"

#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"

#define BLOCK_BYTES 4096u

struct entry {
	unsigned int source;
	uint32_t size;
	unsigned char record[];
};

struct block {
	TAILQ_ENTRY(block) link;
	size_t used, room;
	unsigned char bytes[] __attribute__((aligned(8)));
};

struct hold {
	struct hold_room *room;
	size_t bytes; /* of its blocks */
	uint64_t since;
	TAILQ_HEAD(blocks, block) blocks;
};

struct hold *hold_new(struct hold_room *room)
{
	struct hold *h = xnew(struct hold);

	h->room = room;
	TAILQ_INIT(&h->blocks);
	return h;
}

static void drop_first(struct hold *h)
{
	struct block *b = TAILQ_FIRST(&h->blocks);
	size_t bytes = sizeof(*b) + b->room;

	TAILQ_REMOVE(&h->blocks, b, link);
	h->bytes -= bytes;
	h->room->used -= bytes;
	free(b);
}

struct hold *hold_free(struct hold *h)
{
	if (!h)
		return NULL;
	while (!TAILQ_EMPTY(&h->blocks))
		drop_first(h);
	free(h);
	return NULL;
}

static struct block *add_block(struct hold *h, size_t room)
{
	size_t bytes = sizeof(struct block) + room;
	struct block *b;

	if (h->bytes + bytes > h->room->max_each || h->room->used + bytes > h->room->max)
		return NULL;
	b = malloc(bytes);
	if (!b)
		return NULL;
	b->used = 0;
	b->room = room;
	TAILQ_INSERT_TAIL(&h->blocks, b, link);
	h->bytes += bytes;
	h->room->used += bytes;
	return b;
}

static size_t entry_bytes(uint32_t size)
{
	return (sizeof(struct entry) + size + 7) & ~(size_t)7;
}

bool hold_push(struct hold *h, const struct held_record *r, uint64_t now)
{
	struct block *b = TAILQ_LAST(&h->blocks, blocks);
	size_t bytes = entry_bytes(r->size);
	struct entry *e;

	if (!b || b->room - b->used < bytes)
		b = add_block(h, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
	if (!b)
		return false;
	if (!h->since)
		h->since = now;
	e = (struct entry *)(b->bytes + b->used);
	e->source = r->source;
	e->size = r->size;
	memcpy(e->record, r->record, r->size);
	b->used += bytes;
	return true;
}

uint64_t hold_since(const struct hold *h)
{
	return h->since;
}

static void give_block(const struct block *b, void (*fn)(void *ctx, const struct held_record *r),
		       void *ctx)
{
	for (size_t at = 0; at < b->used;) {
		const struct entry *e = (const struct entry *)(b->bytes + at);

		fn(ctx, &(struct held_record){e->source, e->size, e->record});
		at += entry_bytes(e->size);
	}
}

void hold_each(const struct hold *h, void (*fn)(void *ctx, const struct held_record *r), void *ctx)
{
	const struct block *b;

	TAILQ_FOREACH(b, &h->blocks, link)
		give_block(b, fn, ctx);
}

void hold_release(struct hold *h, void (*fn)(void *ctx, const struct held_record *r), void *ctx)
{
	struct block *b;

	while ((b = TAILQ_FIRST(&h->blocks))) {
		give_block(b, fn, ctx);
		drop_first(h);
	}
	h->since = 0;
}
