/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of things by a hash, which lie in their owners: each embeds a struct hash_link. Those of
 * one hash, or of none that is the same, are in a chain; who looks for one compares.
 *
 *	for (struct hash_link *l = hash_first(&t, hash); l; l = hash_next(l))
 *		if (thing_of(l)->key == key) …
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash_link {
	struct hash_link *next; /* of the chain */
	uint64_t hash;
};

/* Zeroes are an empty one. */
struct hash_table {
	struct hash_link **chains;
	size_t n, room; /* room: chains, a power of 2 */
};

/* Of some bytes; seed: what was hashed before, or a number that nobody outside knows. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n);

void hash_add(struct hash_table *t, struct hash_link *l, uint64_t hash);
void hash_remove(struct hash_table *t, struct hash_link *l); /* it is in the table */

/* Those of this hash; NULL: none, or none more. */
struct hash_link *hash_first(const struct hash_table *t, uint64_t hash);
struct hash_link *hash_next(const struct hash_link *l);

void hash_done(struct hash_table *t); /* its links are their owners' */
