/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter expressions: `field OP value`, several joined by commas (all must hold). OP is one of
 * == != > >= < <= ~ !~ ; ~ looks for a regular expression (Perl's, on bytes) anywhere in the text;
 * where that would take too long (100,000 steps), the condition holds. `\,` in a value is a comma,
 * `\\` a backslash. A value is what the columns show (`ENOENT`, `10ms`, `1MiB`, a name) or the
 * raw number. A time is compared with an RFC 3339 text, with or without
 * fraction (`2026-11-22T12:00:00Z`, `2026-11-22T13:00:00.5+01:00`), or with a date alone; without a
 * zone it is UTC. A bare number is the raw time, of the boot clock. One label of a set is named by
 * its key, k8s.podLabels.app.kubernetes.io/name; one that is not there is empty text. The set
 * itself is compared as it is shown, app=web,tier=front. In a merged stream `source:field` names
 * one gadget's field; a row whose schema lacks a field that the expression names does not match;
 * `source:field` says nothing about rows of other sources. Letters' case counts in texts. A field
 * that a row does not have is empty text, and no number.
 *
 * An expression is parsed once (no schema needed), then bound to each schema.
 */
#pragma once

#include "columns/format.h"
#include "columns/schema.h"

struct filter;	     /* a parsed expression */
struct bound_filter; /* the same, with places in one schema's rows */

int filter_parse(const char *text, struct filter **ret, struct err *err);
struct filter *filter_free(struct filter *f);

/*
 * Its conditions, for messages: the field's name as it was written, with its source. NULL past the
 * last.
 */
const char *filter_field(const struct filter *f, size_t i);

/* True where condition i names a field of this schema. */
bool filter_knows(const struct filter *f, size_t i, const struct schema *s);

/*
 * *ret_known is set to the number of conditions whose field this schema has. -ENOENT only where
 * `strict` and a field is unknown (with a suggestion); -EINVAL where a value cannot be one of the
 * field's. clock: of the times of rows that have none of their own; copied. NULL: no conversion.
 */
int filter_bind(const struct filter *f, const struct schema *s, const struct clock_base *clock,
		bool strict, struct bound_filter **ret, size_t *ret_known, struct err *err);
struct bound_filter *bound_filter_free(struct bound_filter *b);

bool filter_match(const struct bound_filter *b, const struct row *row);
