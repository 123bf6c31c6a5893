/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names of users and groups a section of a record file has told so far: each before the first
 * row that needs it, and no others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct told_owners {
	struct told_owner {
		uint64_t key; /* of the container */
		uint32_t id;
		uint32_t kind; /* 0: this place is free */
		uint64_t name; /* a hash of it */
	} * places;	       /* open addressing */
	size_t n, room;
};

enum told { TOLD, TOLD_OTHERWISE /* by another name */, NOT_TOLD };

/*
 * Has it been told? From here on it has. When there are too many already, TOLD is answered for what
 * was not.
 */
enum told told_owner(struct told_owners *t, uint64_t key, uint32_t kind, uint32_t id,
		     const char *name);
void told_owners_done(struct told_owners *t);
