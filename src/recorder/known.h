/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers that a section of a record file has described so far, and which of them are
 * wanted.
 */
#pragma once

#include "containers/container.h"
#include "recorder/format.h"

/* As in struct record_selection: NULL is asked for as well, records of no container. */
typedef bool container_wanted_fn(void *ctx, const struct container *c);

struct known_containers {
	struct known_container {
		struct container *container;
		uint32_t json_bytes;
		bool wanted;
	} * places; /* by slot */
	size_t n;
	struct owner_names *host;    /* the host's users and groups */
	uint64_t bytes;		     /* of all their JSON, and of names of users and groups */
	uint64_t versions;	     /* given so far, never twice in the life of a reader */
	uint32_t wanted_on[64];	     /* wanted ones whose bit in a block's span this is */
	uint64_t wanted_slots;	     /* bits with one */
	bool none_wanted;	     /* records of no container are */
	container_wanted_fn *wanted; /* NULL: all are */
	void *ctx;
};

/* Forgets all of them, for a new section. */
void known_clear(struct known_containers *k);
void known_done(struct known_containers *k);

/* Before any is described. */
void known_select(struct known_containers *k, container_wanted_fn *wanted, void *ctx);

/* The payload of a chunk: NULL, or what is wrong with it. */
const char *known_describe(struct known_containers *k, uint64_t key, const char *json, size_t len);

/* The same with a user's or group's name. */
const char *known_owner(struct known_containers *k, const struct owner_head *head, const char *name,
			size_t len);

/* NULL: the file did not describe it. */
static inline const struct known_container *known_find(const struct known_containers *k,
						       uint64_t key)
{
	uint32_t slot = container_slot(key);

	if (slot >= k->n || !k->places[slot].container || k->places[slot].container->key != key)
		return NULL;
	return &k->places[slot];
}
