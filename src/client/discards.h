/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many of a daemon's rows were discarded here, by the keys that its containers have there. The
 * containers come and go: those that had a row discarded last are known, however many there were.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"

TAILQ_HEAD(discard_list, discard);

/* To be made by discards_init(). */
struct discards {
	struct hash_table by_key;
	struct discard_list list; /* the last one's first */
	uint64_t seed;		  /* keys are what the daemon says */
	uint64_t total;		  /* of all, also of those that are known no more */
};

void discards_init(struct discards *d);
void discards_done(struct discards *d); /* leaves it as discards_init() does */

void discards_add(struct discards *d, uint64_t key);	      /* one row; 0: of no container */
uint64_t discards_of(const struct discards *d, uint64_t key); /* rows; 0: none, or not known */
