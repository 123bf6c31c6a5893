/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows with stacks, added up by stack, as flamegraph.pl and its like read them ("folded"):
 *
 *   comm;outermost;…;innermost 42
 *
 * The user's functions stand before the kernel's, which have _[k] behind them. Where in a function,
 * and of which file, is left out, so that the same function is the same frame: [/bin/app] is one of
 * that file without a name, [unknown] one of no known file. A row of a stream counts 1, one of a
 * table its first number that is no key; or both what the field `value` has.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/stack_rows.h"

#define FOLDED_KERNEL "_[k]" /* behind the kernel's functions */

struct buf;
struct err;
struct folded;

struct folded *folded_new(void);
struct folded *folded_free(struct folded *f); /* NULL is fine */

/* What of a schema's rows goes into the lines. */
struct folded_plan {
	struct stack_fields fields;
	const struct field *value; /* NULL: each row counts 1 */
	bool containers;	   /* the outermost frame is the container, before the comm */
};

/*
 * value: a field's name, or NULL. -ENOENT: it has no stack, or no such field; -EINVAL: that is no
 * number.
 */
int folded_plan(const struct schema *s, bool table, const char *value, struct folded_plan *ret,
		struct err *err);

/* False: there are too many different stacks already (MAX_FOLDED_BYTES); it is counted. */
bool folded_add(struct folded *f, const struct folded_plan *plan, const struct row *row);
uint64_t folded_refused(const struct folded *f);

/* The lines whose sum is above 0, in order: what begins alike stands together. */
typedef void folded_line_fn(void *ctx, const char *stack, uint64_t sum);
void folded_each(const struct folded *f, folded_line_fn *fn, void *ctx);

void folded_print(const struct folded *f, struct buf *out);
