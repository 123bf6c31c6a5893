/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes the flight recorder dump a container's ring by itself: a record that something went
 * wrong. Some are known by name; any other is a filter over a gadget's records.
 */
#pragma once

#include <stdbool.h>

#include "columns/format.h"
#include "gadget/gadget.h"

struct err;
struct trigger;

/*
 * `on`: "exit" (the container's first process ends, and not well), "signal" (a process is ended by
 * a signal that tells of a fault), "oom". -EINVAL: none of these.
 */
int trigger_new(const char *on, struct trigger **ret, struct err *err);

/* "GADGET: EXPRESSION" (columns/filter.h). -EINVAL. */
int trigger_when(const char *text, struct trigger **ret, struct err *err);
struct trigger *trigger_free(struct trigger *t); /* NULL is fine; returns NULL */

const char *const *trigger_names(void);		     /* what `on` may be, NULL-terminated */
const char *trigger_name(const struct trigger *t);   /* a word, for a file's name */
const char *trigger_gadget(const struct trigger *t); /* whose records tell; or one of its aliases */

/* Before the first record: source of that gadget. -ENOENT: it has no such field; -EINVAL. */
int trigger_bind(struct trigger *t, const struct schema *s, const struct clock_base *clock,
		 struct err *err);

/* A row of that source. */
bool trigger_fires(const struct trigger *t, const struct row *row);
