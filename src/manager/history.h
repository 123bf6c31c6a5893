/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last rows of a run, copied, for readers that come later. Bounded in rows and bytes: the
 * oldest go first. A row's container is referenced, so that it keeps its name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/schema.h"

struct history;

struct history *history_new(size_t max_rows, size_t max_bytes);
struct history *history_free(struct history *h); /* NULL is fine; returns NULL */

/* part[PART_CONTAINER] is a struct container or NULL. A row longer than max_bytes is not kept. */
void history_add(struct history *h, unsigned int source, const struct row *row, bool late);

/* A table of that source is whole. */
void history_table_end(struct history *h, unsigned int source);

size_t history_rows(const struct history *h);

/* The last `last` rows in their order; a table's end without its rows is left out. */
struct history_reader {
	void *ctx;
	void (*row)(void *ctx, unsigned int source, const struct row *row, bool late);
	void (*table_end)(void *ctx, unsigned int source); /* may be NULL */
};
void history_each(const struct history *h, size_t last, const struct history_reader *to);
