/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given out piece by piece and released at once: a schema's strings, the rows that a
 * table holds until it is printed. An arena is initialised with zeroes.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *last;
	size_t bytes; /* given out since the last release */
};

/* 8-byte aligned, not zeroed; aborts when out of memory. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *bytes, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
void arena_done(struct arena *a);
