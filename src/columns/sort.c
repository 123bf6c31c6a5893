// SPDX-License-Identifier: Apache-2.0
#include "columns/sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/owners.h"
#include "base/parse.h"
#include "columns/format.h"
#include "columns/labels.h"

/* ---- keeping ------------------------------------------------------------------------------- */

static struct labels copy_labels(struct arena *a, const struct labels *from)
{
	struct labels to = {.n = from->n};

	to.items = arena_alloc(a, to.n * sizeof(*to.items));
	for (size_t i = 0; i < to.n; i++)
		to.items[i] = (struct label){arena_strdup(a, from->items[i].key),
					     arena_strdup(a, from->items[i].value)};
	return to;
}

/* A part's bytes, and what its fields point to. */
static const void *copy_part(struct kept_rows *k, const struct row *row, int part)
{
	char *copy = arena_copy(&k->arena, row->part[part], row->size[part]);

	for (size_t i = 0; i < k->schema->n_fields; i++) {
		const struct field *f = &k->schema->fields[i];
		struct labels labels;
		char *text;

		if (f->part != part || !row_has(row, f))
			continue;
		if (f->kind == KIND_CSTR) {
			memcpy(&text, copy + f->offset, sizeof(text));
			text = arena_strdup(&k->arena, text);
			memcpy(copy + f->offset, &text, sizeof(text));
		} else if (row_labels(row, f, &labels)) {
			labels = copy_labels(&k->arena, &labels);
			memcpy(copy + f->offset, &labels, sizeof(labels));
		}
	}
	return copy;
}

static const void *copy_container(struct kept_rows *k, const struct row *row)
{
	size_t slot = row->container_version * 0x9e3779b97f4a7c15ull >> 58;
	const void *copy;

	if (row->container_version && k->containers[slot].version == row->container_version)
		return k->containers[slot].part;
	copy = copy_part(k, row, PART_CONTAINER);
	k->containers[slot].version = row->container_version;
	k->containers[slot].part = copy;
	return copy;
}

bool kept_rows_add(struct kept_rows *k, const struct row *row)
{
	struct kept_row *to;

	if (k->n >= MAX_TABLE_ROWS || k->arena.bytes >= MAX_HELD_BYTES) {
		k->refused++;
		return false;
	}
	to = grow(&k->rows, &k->n, &k->room);
	to->row = *row;
	owner_names_ref(row->owners);
	to->number = k->n;
	if (row->part[PART_RECORD])
		to->row.part[PART_RECORD] = copy_part(k, row, PART_RECORD);
	if (row->part[PART_CONTAINER])
		to->row.part[PART_CONTAINER] = copy_container(k, row);
	if (row->part[PART_DERIVED])
		to->row.part[PART_DERIVED] = copy_part(k, row, PART_DERIVED);
	return true;
}

void kept_rows_clear(struct kept_rows *k)
{
	for (size_t i = 0; i < k->n; i++)
		owner_names_unref(k->rows[i].row.owners);
	free(k->rows);
	arena_done(&k->arena);
	*k = (struct kept_rows){.schema = k->schema};
}

/* ---- sorting ------------------------------------------------------------------------------- */

struct order {
	const struct sort_key *keys;
	size_t n;
};

#define compare(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t least = a_len < b_len ? a_len : b_len;
	int order = least ? memcmp(a, b, least) : 0;

	return order ? order : compare(a_len, b_len);
}

/* Fields that are more than one value, such as endpoints: as they are shown. */
static int compare_shown(const struct field *f, const struct row *a, const struct row *b)
{
	_cleanup_(buf_done) struct buf a_text = {.max = MAX_HELD_BYTES};
	_cleanup_(buf_done) struct buf b_text = {.max = MAX_HELD_BYTES};

	f->format->text(f, a, NULL, &a_text);
	f->format->text(f, b, NULL, &b_text);
	return compare_bytes(a_text.data, a_text.len, b_text.data, b_text.len);
}

static int compare_field(const struct field *f, const struct row *a, const struct row *b)
{
	bool a_has = row_has(a, f), b_has = row_has(b, f), truncated;
	const char *a_text = NULL, *b_text = NULL;
	size_t a_len = 0, b_len = 0;
	int64_t a_number, b_number;

	if (!a_has || !b_has)
		return a_has - b_has;
	if (row_number(a, f, &a_number) && row_number(b, f, &b_number))
		return f->kind == KIND_UINT ? compare((uint64_t)a_number, (uint64_t)b_number)
					    : compare(a_number, b_number);
	if (f->kind == KIND_NONE || f->kind == KIND_LABELS)
		return compare_shown(f, a, b);
	row_text(a, f, &a_text, &a_len, &truncated);
	row_text(b, f, &b_text, &b_len, &truncated);
	return compare_bytes(a_text, a_len, b_text, b_len);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct kept_row *x = a, *y = b;
	const struct order *order = arg;

	for (size_t i = 0; i < order->n; i++) {
		int result = compare_field(order->keys[i].field, &x->row, &y->row);

		if (result)
			return order->keys[i].descending ? -result : result;
	}
	return compare(x->number, y->number);
}

void kept_rows_sort(struct kept_rows *k, const struct sort_key *keys, size_t n)
{
	struct order order = {keys, n};

	if (k->n)
		qsort_r(k->rows, k->n, sizeof(*k->rows), compare_rows, &order);
}

struct sort_key *sort_keys_free(struct sort_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(keys[i].label);
	free(keys);
	return NULL;
}

static int parse_key(const char *word, const struct schema *s, struct sort_key *ret,
		     struct err *err)
{
	bool sign = *word == '-' || *word == '+';
	const char *label;

	ret->descending = *word == '-';
	ret->field = schema_require_or_label(s, word + sign, &label, err);
	if (!ret->field)
		return err_wrap(err, -ENOENT, "--sort");
	if (field_is_mere_group(ret->field))
		return err_set(err, -EINVAL, "--sort: '%s' is a group of fields; name one of them",
			       word + sign);
	if (label)
		ret->field = ret->label = label_field(ret->field, label);
	return 0;
}

int sort_keys_parse(const char *spec, const struct schema *s, struct sort_key **ret, size_t *ret_n,
		    struct err *err)
{
	_cleanup_(freep) char **words = NULL;
	size_t n = split(spec, ',', false, &words);
	struct sort_key *keys = xnew_n(struct sort_key, n);

	for (size_t i = 0; i < n; i++) {
		int r = parse_key(words[i], s, &keys[i], err);

		if (r) {
			sort_keys_free(keys, n);
			return r;
		}
	}
	*ret = keys;
	*ret_n = n;
	return 0;
}
