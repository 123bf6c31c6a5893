// SPDX-License-Identifier: Apache-2.0
/*
 * Containers by the bytes that described them, so that rows of one container share one struct
 * container and its version. Bounded: a newer one takes the place of an older one of the same hash,
 * and what is very long is kept until the next one only.
 */
#include <string.h>

#include "base/mem.h"
#include "wire/decoder.h"

enum { SLOTS = 2048, MAX_KEPT = 16384 };

struct slot {
	char *key;
	size_t len;
	struct container *container;
};

struct container_cache {
	uint64_t versions;
	struct slot slots[SLOTS];
	struct slot large;
};

struct container_cache *container_cache_new(void)
{
	return xnew(struct container_cache);
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
	for (size_t i = 0; i < SLOTS; i++)
		slot_done(&c->slots[i]);
	slot_done(&c->large);
	free(c);
	return NULL;
}

/* Eight bytes at a time: it is done for each row. */
static size_t hash(const struct buf *key)
{
	uint64_t h = key->len, word;
	size_t at = 0;

	for (; at + sizeof(word) <= key->len; at += sizeof(word)) {
		memcpy(&word, key->data + at, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, key->data + at, key->len - at);
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h >> 53; /* 11 bits: SLOTS */
}

static const struct slot *slot_of(const struct container_cache *c, const struct buf *key)
{
	return key->len > MAX_KEPT ? &c->large : &c->slots[hash(key)];
}

struct container *container_cache_find(const struct container_cache *c, const struct buf *key)
{
	const struct slot *s = slot_of(c, key);

	return s->container && s->len == key->len && !memcmp(s->key, key->data, key->len)
		       ? s->container
		       : NULL;
}

void container_cache_add(struct container_cache *c, const struct buf *key,
			 struct container *container)
{
	struct slot *s = (struct slot *)slot_of(c, key);

	slot_done(s);
	s->key = xnew_n(char, key->len + 1);
	memcpy(s->key, key->data, key->len);
	s->len = key->len;
	s->container = container;
	container->version = ++c->versions;
}
