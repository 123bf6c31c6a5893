// SPDX-License-Identifier: Apache-2.0
#include "base/hash_table.h"

#include "base/mem.h"

#define FIRST_ROOM 64

/* FNV-1a, and the finalizer of MurmurHash3, since chains are chosen by the lowest bits. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
	uint64_t h = seed ^ 0xcbf29ce484222325ull;

	for (const unsigned char *p = bytes, *end = p + n; p < end; p++)
		h = (h ^ *p) * 0x100000001b3ull;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

static struct hash_link **chain_of(const struct hash_table *t, uint64_t hash)
{
	return &t->chains[hash & (t->room - 1)];
}

static void push(struct hash_table *t, struct hash_link *l)
{
	struct hash_link **chain = chain_of(t, l->hash);

	l->next = *chain;
	*chain = l;
}

static void grow_chains(struct hash_table *t)
{
	struct hash_table old = *t;

	t->room = old.room ? old.room * 2 : FIRST_ROOM;
	t->chains = xnew_n(struct hash_link *, t->room);
	for (size_t i = 0; i < old.room; i++)
		for (struct hash_link *l = old.chains[i], *next; l; l = next) {
			next = l->next;
			push(t, l);
		}
	free(old.chains);
}

void hash_add(struct hash_table *t, struct hash_link *l, uint64_t hash)
{
	if (t->n++ >= t->room)
		grow_chains(t);
	l->hash = hash;
	push(t, l);
}

void hash_remove(struct hash_table *t, struct hash_link *l)
{
	struct hash_link **at = chain_of(t, l->hash);

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	t->n--;
}

static struct hash_link *same(struct hash_link *l, uint64_t hash)
{
	while (l && l->hash != hash)
		l = l->next;
	return l;
}

struct hash_link *hash_first(const struct hash_table *t, uint64_t hash)
{
	return t->room ? same(*chain_of(t, hash), hash) : NULL;
}

struct hash_link *hash_next(const struct hash_link *l)
{
	return same(l->next, l->hash);
}

void hash_done(struct hash_table *t)
{
	free(t->chains);
	*t = (struct hash_table){0};
}
