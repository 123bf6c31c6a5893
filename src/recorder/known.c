// SPDX-License-Identifier: Apache-2.0
#include "recorder/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/format.h"
#include "containers/container_json.h"

static bool wants(const struct known_containers *k, const struct container *c)
{
	return !k->wanted || k->wanted(k->ctx, c);
}

static void count_wanted(struct known_containers *k, uint64_t key, uint32_t by)
{
	uint32_t *on = &k->wanted_on[key & 63];

	*on += by;
	if (*on)
		k->wanted_slots |= slot_bit(key);
	else
		k->wanted_slots &= ~slot_bit(key);
}

void known_select(struct known_containers *k, container_wanted_fn *wanted, void *ctx)
{
	k->wanted = wanted;
	k->ctx = ctx;
	k->none_wanted = wants(k, NULL);
	if (k->none_wanted)
		count_wanted(k, 0, 1);
}

void known_done(struct known_containers *k)
{
	for (size_t i = 0; i < k->n; i++)
		container_unref(k->places[i].container);
	free(k->places);
	k->places = NULL;
	k->host = owner_names_unref(k->host);
	k->n = k->bytes = 0;
}

void known_clear(struct known_containers *k)
{
	known_done(k);
	memset(k->wanted_on, 0, sizeof(k->wanted_on));
	k->wanted_slots = 0;
	k->host = owner_names_new(); /* none are told yet: not this machine's */
	known_select(k, k->wanted, k->ctx);
}

const char *known_describe(struct known_containers *k, uint64_t key, const char *json, size_t len)
{
	struct known_container *to;
	struct container *c;
	const char *why;

	if (!key || container_slot(key) >= MAX_SLOTS)
		return "it has no possible key";
	if (container_from_json(json, len, &c, &why) < 0)
		return why;
	c->key = key;
	c->version = ++k->versions;
	grow_to(&k->places, &k->n, (size_t)container_slot(key) + 1);
	to = &k->places[container_slot(key)];
	if (to->wanted)
		count_wanted(k, key, -1u);
	k->bytes += len - to->json_bytes;
	if (to->container && to->container->key == key)
		c->owners = owner_names_ref(to->container->owners);
	container_unref(to->container);
	*to = (struct known_container){c, (uint32_t)len, wants(k, c)};
	if (to->wanted)
		count_wanted(k, key, 1);
	return k->bytes > FILE_MAX_CONTAINER_BYTES ? "the containers take too many bytes" : NULL;
}

const char *known_owner(struct known_containers *k, const struct owner_head *head, const char *name,
			size_t len)
{
	const struct known_container *of = known_find(k, head->key);
	struct owner_names *names = k->host;

	if (head->key && !of)
		return "its container was not described";
	if (head->kind != OWNER_USER && head->kind != OWNER_GROUP)
		return "it is neither a user nor a group";
	if (head->key && !of->container->owners)
		of->container->owners = owner_names_new();
	if (head->key)
		names = of->container->owners;
	owner_names_set(names, head->kind == OWNER_USER ? &names->users : &names->groups, head->id,
			name, len);
	k->bytes += len + sizeof(*head);
	return k->bytes > FILE_MAX_CONTAINER_BYTES ? "names take too many bytes" : NULL;
}
