/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that wait for the end of their table: copies, with all that they point to, sorted by several
 * keys. Rows that are equal in all keys stay in the order in which they came.
 */
#pragma once

#include <stdbool.h>

#include "columns/arena.h"
#include "columns/schema.h"

struct sort_key {
	const struct field *field;
	struct field *label; /* the same, where it was made for one label of a set */
	bool descending;
};

struct kept_row {
	struct row row;
	size_t number; /* in order of coming */
};

struct kept_rows {
	const struct schema *schema;
	struct kept_row *rows;
	size_t n, room;
	uint64_t refused; /* did not fit into MAX_TABLE_ROWS or MAX_HELD_BYTES */
	struct arena arena;
	struct {
		uint64_t version;
		const void *part;
	} containers[64]; /* copies that rows share */
};

bool kept_rows_add(struct kept_rows *k, const struct row *row); /* false: refused */
void kept_rows_sort(struct kept_rows *k, const struct sort_key *keys, size_t n);
void kept_rows_clear(struct kept_rows *k);

/* "-bytes,comm" for a schema; -ENOENT with a suggestion. */
int sort_keys_parse(const char *spec, const struct schema *s, struct sort_key **ret, size_t *ret_n,
		    struct err *err);
struct sort_key *sort_keys_free(struct sort_key *keys, size_t n); /* returns NULL; NULL is fine */
