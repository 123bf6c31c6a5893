// SPDX-License-Identifier: Apache-2.0
#include "client/discards.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/mem.h"

struct discard {
	struct hash_link link;
	TAILQ_ENTRY(discard) listed;
	uint64_t key, rows;
};

void discards_init(struct discards *d)
{
	*d = (struct discards){0};
	TAILQ_INIT(&d->list);
	if (getrandom(&d->seed, sizeof(d->seed), GRND_NONBLOCK) < 0)
		d->seed = (uintptr_t)d;
}

static void forget(struct discards *d, struct discard *e)
{
	TAILQ_REMOVE(&d->list, e, listed);
	hash_remove(&d->by_key, &e->link);
	free(e);
}

void discards_done(struct discards *d)
{
	while (!TAILQ_EMPTY(&d->list))
		forget(d, TAILQ_FIRST(&d->list));
	hash_done(&d->by_key);
	d->total = 0;
}

static uint64_t hash_of(const struct discards *d, uint64_t key)
{
	return hash_bytes(d->seed, &key, sizeof(key));
}

static struct discard *find(const struct discards *d, uint64_t key)
{
	struct hash_link *l = hash_first(&d->by_key, hash_of(d, key));
	struct discard *e;

	for (; l; l = hash_next(l)) {
		e = container_of(l, struct discard, link);
		if (e->key == key)
			return e;
	}
	return NULL;
}

static struct discard *add(struct discards *d, uint64_t key)
{
	struct discard *e = xnew(struct discard);

	if (d->by_key.n == MAX_CONTAINERS)
		forget(d, TAILQ_LAST(&d->list, discard_list));
	e->key = key;
	hash_add(&d->by_key, &e->link, hash_of(d, key));
	TAILQ_INSERT_HEAD(&d->list, e, listed);
	return e;
}

void discards_add(struct discards *d, uint64_t key)
{
	struct discard *e = find(d, key) ?: add(d, key);

	e->rows++;
	d->total++;
	if (e != TAILQ_FIRST(&d->list)) {
		TAILQ_REMOVE(&d->list, e, listed);
		TAILQ_INSERT_HEAD(&d->list, e, listed);
	}
}

uint64_t discards_of(const struct discards *d, uint64_t key)
{
	const struct discard *e = find(d, key);

	return e ? e->rows : 0;
}
