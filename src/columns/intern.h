/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equal bytes get the same number: 0, 1, 2 … in the order in which they were first met.
 */
#pragma once

#include <stddef.h>

struct arena;

struct interned {
	size_t number, len;
	_Alignas(8) unsigned char bytes[];
};

/* Zeroes are an empty one; the arena, which may be several ones', has its bytes. */
struct intern {
	void *tree; /* tsearch(3) */
	struct interned **items;
	size_t n, room;
};

/* Valid as long as the arena. */
const struct interned *intern(struct intern *in, struct arena *arena, const void *bytes,
			      size_t len);
void intern_done(struct intern *in);
