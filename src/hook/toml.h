/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of TOML (https://toml.io/en/v1.0.0) as it takes to know to which table a line belongs.
 * Values are not read, but for one-line strings; texts over several lines are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TOML_DEPTH 12 /* parts of a key with its table's */

struct toml_key {
	char *parts[TOML_DEPTH];
	size_t n;
};

/* How much of b is a too: the parts that both begin with. */
size_t toml_common(const struct toml_key *a, const struct toml_key *b);

enum toml_line {
	TOML_OTHER, /* empty, a comment, or what goes on from the line before */
	TOML_TABLE, /* [a.b]: `table` was changed */
	TOML_VALUE, /* a.b = …: `key` is whole, the table's parts included */
	TOML_BAD,
};

struct toml {
	const char *at, *end;	  /* the rest of the text */
	const char *line, *value; /* the line that was read; what follows its `=` */
	size_t line_len;	  /* with its newline */
	struct toml_key table, key;
	int open; /* brackets of an array that are not closed yet */
};

void toml_init(struct toml *t, const char *text, size_t len);
void toml_done(struct toml *t);

bool toml_next(struct toml *t, enum toml_line *ret); /* false: there is no more */

/* The string that `value` is, as a new one; NULL: it is none. Escapes are not undone. */
char *toml_string(const struct toml *t);
