/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which fields are shown: --fields "a,b", "+d,-c", "source:a,b;source2:+c". What is added with `+`
 * stands last, a container's fields with those of the container. A field may be one
 * label of a set, "k8s.podLabels.app": a column of its own, and in JSON the only one of its set,
 * unless the whole set is there too. So "-k8s.podLabels.app" takes away a column, but nothing from
 * a whole set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "columns/schema.h"

/* What is shown of one schema. */
struct selection {
	const struct field **columns; /* in order */
	size_t n;
	bool *json;	       /* for each field */
	struct field **labels; /* made for single labels that were chosen; owned */
	size_t n_labels;
};
void selection_done(struct selection *s);
void selection_hide(struct selection *s, const char *field); /* it is no column */

struct field_choice; /* a parsed --fields */

int field_choice_new(const char *spec /* may be NULL */, struct field_choice **ret,
		     struct err *err);
struct field_choice *field_choice_free(struct field_choice *c);

/* Fills *ret for a schema; words that name no field of it are left for others. */
void field_choice_apply(struct field_choice *c, const struct schema *s, struct selection *ret);

/* After all were applied: -ENOENT for a word that none of them knew, with a suggestion from one. */
int field_choice_check(const struct field_choice *c, const struct schema *s, struct err *err);

/* True where name is that of the schema's gadget or data source. */
bool schema_is_called(const struct schema *s, const char *name);

/* A group that is a column of its own, such as an endpoint. */
bool field_is_shown_group(const struct field *f);
