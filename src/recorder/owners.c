// SPDX-License-Identifier: Apache-2.0
#include "recorder/owners.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_ROOM = 64, MAX_ROOM = 1 << 18 };

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0;

	for (; *name; name++)
		hash = mix(hash, (unsigned char)*name);
	return hash;
}

/* Its place, or the free one where it would be. */
static struct told_owner *find(struct told_owners *t, uint64_t key, uint32_t kind, uint32_t id)
{
	size_t at = (size_t)mix(mix(key, id), kind) & (t->room - 1);

	while (t->places[at].kind &&
	       (t->places[at].key != key || t->places[at].id != id || t->places[at].kind != kind))
		at = (at + 1) & (t->room - 1);
	return &t->places[at];
}

/* At most half of the places are taken. */
static bool make_room(struct told_owners *t)
{
	struct told_owners larger = {.n = t->n, .room = t->room ? t->room * 2 : FIRST_ROOM};

	if (t->n < t->room / 2)
		return true;
	if (t->room == MAX_ROOM)
		return false;
	larger.places = xnew_n(struct told_owner, larger.room);
	for (size_t i = 0; i < t->room; i++) {
		const struct told_owner *o = &t->places[i];

		if (o->kind)
			*find(&larger, o->key, o->kind, o->id) = *o;
	}
	free(t->places);
	*t = larger;
	return true;
}

enum told told_owner(struct told_owners *t, uint64_t key, uint32_t kind, uint32_t id,
		     const char *name)
{
	uint64_t hash = hash_name(name);
	bool room = make_room(t);
	struct told_owner *o = find(t, key, kind, id);
	enum told answer = o->kind ? TOLD_OTHERWISE : NOT_TOLD;

	if ((o->kind && o->name == hash) || (!o->kind && !room))
		return TOLD;
	t->n += !o->kind;
	*o = (struct told_owner){key, id, kind, hash};
	return answer;
}

void told_owners_done(struct told_owners *t)
{
	free(t->places);
}
