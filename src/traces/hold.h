/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that are held back, one container's, in their order, until it is known whether somebody
 * wants them and by which name. What all holds together may take is bounded, and so is each: one
 * container cannot fill the room of the others. What is kept is what came first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that all holds of a trace collection take. */
struct hold_room {
	size_t used, max;
	size_t max_each;
};

struct hold;

struct held_record {
	unsigned int source;
	uint32_t size;
	const void *record; /* copied by hold_push(); aligned to 8 when given out */
};

struct hold *hold_new(struct hold_room *room);
struct hold *hold_free(struct hold *h); /* what it holds is dropped; NULL is fine; returns NULL */

/* False: there is no room, and nothing was kept. */
bool hold_push(struct hold *h, const struct held_record *r, uint64_t now);

/* Boot clock, ns, when the first record came that it holds; 0: it is empty. */
uint64_t hold_since(const struct hold *h);

/* Gives all out, the first first, and keeps it. */
void hold_each(const struct hold *h, void (*fn)(void *ctx, const struct held_record *r), void *ctx);

/* Gives all out, the first first, and is empty then. fn must not push to h. */
void hold_release(struct hold *h, void (*fn)(void *ctx, const struct held_record *r), void *ctx);
