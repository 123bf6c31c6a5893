// SPDX-License-Identifier: Apache-2.0
/*
 * Containers by the bytes that described them, so that rows of one container share one struct
 * container and its version. It begins small, as who follows a thousand nodes has one for each of
 * them, and grows with what it holds. Bounded: then a newer one takes the place of an older one of
 * the same hash, and what is very long is kept until the next one only.
 */
#include <string.h>

#include "base/mem.h"
#include "wire/decoder.h"

enum { FIRST_BITS = 4, LAST_BITS = 11, MAX_KEPT = 16384 };

struct slot {
	char *key;
	size_t len;
	struct container *container;
};

struct container_cache {
	uint64_t versions;
	struct slot *slots;
	unsigned int bits; /* of a hash: 2 ^ bits slots */
	struct slot large;
};

static size_t n_slots(const struct container_cache *c)
{
	return (size_t)1 << c->bits;
}

struct container_cache *container_cache_new(void)
{
	struct container_cache *c = xnew(struct container_cache);

	c->bits = FIRST_BITS;
	c->slots = xnew_n(struct slot, n_slots(c));
	return c;
}

static void slot_done(struct slot *s)
{
	free(s->key);
	container_unref(s->container);
	*s = (struct slot){0};
}

struct container_cache *container_cache_free(struct container_cache *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < n_slots(c); i++)
		slot_done(&c->slots[i]);
	slot_done(&c->large);
	free(c->slots);
	free(c);
	return NULL;
}

/* Eight bytes at a time: it is done for each row. */
static uint64_t hash(const char *key, size_t len)
{
	uint64_t h = len, word;
	size_t at = 0;

	for (; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, key + at, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, key + at, len - at);
	return (h ^ word) * 0x9e3779b97f4a7c15ull;
}

static struct slot *slot_of(struct container_cache *c, const char *key, size_t len)
{
	return len > MAX_KEPT ? &c->large : &c->slots[hash(key, len) >> (64 - c->bits)];
}

struct container *container_cache_find(struct container_cache *c, const struct buf *key)
{
	const struct slot *s = slot_of(c, key->data, key->len);

	return s->container && s->len == key->len && !memcmp(s->key, key->data, key->len)
		       ? s->container
		       : NULL;
}

/* One more bit of the hashes tells containers apart. */
static void double_slots(struct container_cache *c)
{
	struct slot *old = c->slots;
	size_t n = n_slots(c);

	c->bits++;
	c->slots = xnew_n(struct slot, n_slots(c));
	for (size_t i = 0; i < n; i++)
		if (old[i].container)
			*slot_of(c, old[i].key, old[i].len) = old[i];
	free(old);
}

void container_cache_add(struct container_cache *c, const struct buf *key,
			 struct container *container)
{
	struct slot *s = slot_of(c, key->data, key->len);

	if (s->container && s != &c->large && c->bits < LAST_BITS) {
		double_slots(c);
		s = slot_of(c, key->data, key->len);
	}
	slot_done(s);
	s->key = xnew_n(char, key->len + 1);
	memcpy(s->key, key->data, key->len);
	s->len = key->len;
	s->container = container;
	container->version = ++c->versions;
}
