/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes below their parents, as `ps f` draws them. Any table will do whose rows have proc.pid
 * and proc.parent.pid; where they have proc.tid as well, threads stand below their process. Several
 * rows of one process stand beside each other, its children below the first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "columns/schema.h"
#include "columns/sort.h"

#define TREE_NAME_FIELD "proc.comm"

bool tree_fits(const struct schema *s);

struct tree_line {
	const struct row *row;
	char *text; /* branches, and behind them the name of the process; its bytes are any */
};

/* The first n rows, each once, in the order of the tree; siblings in the order of the rows. */
struct tree_line *tree_lines(const struct schema *s, const struct kept_row *rows, size_t n);
struct tree_line *tree_lines_free(struct tree_line *lines, size_t n); /* returns NULL */
