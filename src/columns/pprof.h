/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Added up stacks as a profile that pprof and its like read: profile.proto, packed by gzip. Samples
 * have labels: container, pod, namespace, node, comm, pid. Functions come by name; what has none by
 * its file and place in it. Files have their build ids where the rows tell them (g_ustack_files).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/stack_rows.h"

struct buf;
struct err;
struct pprof;

enum { PPROF_VALUES = 8 };

/* What of a schema's rows goes into the profile. */
struct pprof_plan {
	struct stack_fields fields;
	const struct field *values[PPROF_VALUES]; /* NULL: each row counts 1 */
	unsigned int types[PPROF_VALUES];	  /* which value of a sample each is */
	size_t n_values;
};

struct pprof *pprof_new(void);
struct pprof *pprof_free(struct pprof *p); /* NULL is fine */

/*
 * value: a field's name; NULL: all numbers of a table that are no keys, or how many rows of a
 * stream there are. -ENOENT: no stacks or no such field; -EINVAL: that is no number; -E2BIG: too
 * many kinds of values.
 */
int pprof_plan(struct pprof *p, const struct schema *s, bool table, const char *value,
	       struct pprof_plan *ret, struct err *err);

/* False: there are too many different stacks already (MAX_FOLDED_BYTES); it is counted. */
bool pprof_add(struct pprof *p, const struct pprof_plan *plan, const struct row *row);
uint64_t pprof_refused(const struct pprof *p);

/* Appends the file's bytes; -ENOMEM where they do not fit. */
int pprof_write(struct pprof *p, struct buf *out);
