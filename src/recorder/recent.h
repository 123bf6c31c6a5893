/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The most recent blocks of bytes, in bounded memory: the oldest are overwritten. Memory is taken
 * as it is needed, up to a bound that may be changed at any time. Blocks are numbered in the order
 * in which they come; those that could not be had use up their numbers. What is kept are the newest
 * of all that were pushed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct recent {
	char *data;
	size_t room, max;  /* bytes: allocated, and what that may reach */
	size_t first, end; /* the oldest block, and behind the newest */
	size_t edge;	   /* first > end: behind the last block before the wrap */
	size_t n;	   /* blocks that are kept */
	uint64_t last;	   /* number of the newest that ever came; 0: none did */
};

void recent_init(struct recent *r, size_t max);
void recent_done(struct recent *r);

/*
 * Room for the next block, aligned to 8, of which the caller fills `size` bytes. NULL: it is larger
 * than the bound allows, and only its number is used up.
 */
void *recent_push(struct recent *r, uint32_t size);
void recent_skip(struct recent *r, uint64_t n); /* n blocks that could not be had */

/* Another bound: where it is less than what is kept, the oldest go. */
void recent_resize(struct recent *r, size_t max);

/* Oldest first. */
typedef void recent_fn(void *ctx, uint64_t number, const void *block, uint32_t size);
void recent_each(const struct recent *r, recent_fn *fn, void *ctx);
