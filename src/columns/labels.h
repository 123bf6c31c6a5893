/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of labels (struct labels of columns/schema.h): texts by their keys, in the order in which
 * they were added. Sets are small; a key is looked for from one end to the other. A set begins as
 * zeroes and ends with labels_done().
 */
#pragma once

#include "columns/schema.h"

/* Both texts are copied. A key that is there gets the new value. */
void labels_add(struct labels *l, const char *key, const char *value);

/* The value of a key, as long as the set does not change; NULL: it is not there. */
const char *labels_get(const struct labels *l, const char *key);

void labels_merge(struct labels *to, const struct labels *from); /* labels_add() of all of `from` */

/* In order of keys, so that the same set is always shown the same way. */
void labels_sort(struct labels *l);

/* The set, which is the caller's from then on; *l is empty. */
struct labels labels_take(struct labels *l);

void labels_done(struct labels *l); /* empties it */

/* {"app":"web","tier":"front"} */
void labels_to_json(const struct labels *l, struct buf *out);

/*
 * A new field: the label `key` of the KIND_LABELS field `set`, named "SET.KEY". It is as good as a
 * schema's fields for whatever reads, shows, filters or sorts rows of set's schema. Freed with
 * free().
 */
struct field *label_field(const struct field *set, const char *key);
