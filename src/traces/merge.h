/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sort window of a merged stream. Records of several rings come in bursts, each nearly in order
 * of time but not among each other; they are copied and held until they are `window_ns` old, and
 * released in order of time. What arrives older than what was released already is given on at
 * once and marked late, never reordered. Memory is bounded: past max_bytes the oldest are
 * released early.
 *
 * Times are boot-clock ns. A record that is more than the window ahead (a broken program) is held
 * as if made now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge;

struct merge_row {
	void *owner, *tag; /* the caller's; kept as they are */
	unsigned int source;
	uint32_t size;
	const void *record; /* copied by merge_push(); aligned to 8 when released */
	uint64_t time;
};

/* The row is valid during the call, which must not call the merge's functions. */
typedef void merge_fn(void *ctx, const struct merge_row *row, bool late);

struct merge *merge_new(uint64_t window_ns, size_t max_bytes, merge_fn *fn, void *ctx);
struct merge *merge_free(struct merge *m); /* what is held is dropped: merge_release_all() first */

void merge_push(struct merge *m, const struct merge_row *row, uint64_t now);
void merge_release(struct merge *m, uint64_t now); /* all that is older than the window */
void merge_release_all(struct merge *m);
/* The rows of one owner, in order of time; they stay. */
void merge_each(const struct merge *m, const void *owner, merge_fn *fn, void *ctx);
void merge_drop(struct merge *m, const void *owner); /* they go, and nobody is given them */
size_t merge_held(const struct merge *m);
