// SPDX-License-Identifier: Apache-2.0
#include "columns/labels.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/format.h"

static struct label *find(const struct labels *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->items[i].key, key))
			return &l->items[i];
	return NULL;
}

void labels_add(struct labels *l, const char *key, const char *value)
{
	struct label *label = find(l, key);

	if (label) {
		free(label->value);
	} else {
		label = grow(&l->items, &l->n, &l->room);
		label->key = xstrdup(key);
	}
	label->value = xstrdup(value);
}

void labels_merge(struct labels *to, const struct labels *from)
{
	for (size_t i = 0; i < from->n; i++)
		labels_add(to, from->items[i].key, from->items[i].value);
}

const char *labels_get(const struct labels *l, const char *key)
{
	const struct label *label = find(l, key);

	return label ? label->value : NULL;
}

static int compare_keys(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return strcmp(x->key, y->key);
}

void labels_sort(struct labels *l)
{
	if (l->n)
		qsort(l->items, l->n, sizeof(*l->items), compare_keys);
}

struct labels labels_take(struct labels *l)
{
	struct labels taken = *l;

	*l = (struct labels){0};
	return taken;
}

void labels_done(struct labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	free(l->items);
	*l = (struct labels){0};
}

void labels_to_json(const struct labels *l, struct buf *out)
{
	buf_char(out, '{');
	for (size_t i = 0; i < l->n; i++) {
		const struct label *label = &l->items[i];

		if (i)
			buf_char(out, ',');
		json_quote(out, label->key, strlen(label->key));
		buf_char(out, ':');
		json_quote(out, label->value, strlen(label->value));
	}
	buf_char(out, '}');
}

struct field *label_field(const struct field *set, const char *key)
{
	_cleanup_(buf_done) struct buf name = {.max = 1024 + 4 * MAX_LABEL_KEY_BYTES};
	size_t key_size = strlen(key) + 1;
	struct field *f;
	char *texts;

	/* The name is printed, and the key may hold anything. */
	buf_str(&name, set->name);
	buf_char(&name, '.');
	escape_text(&name, key, strlen(key));
	f = xcalloc(1, sizeof(*f) + key_size + name.len + 1);
	texts = (char *)(f + 1);
	memcpy(texts, key, key_size);
	memcpy(texts + key_size, buf_cstr(&name), name.len + 1);
	*f = (struct field){
		.name = texts + key_size,
		.doc = set->doc,
		.kind = KIND_LABEL,
		.part = set->part,
		.offset = set->offset,
		.size = set->size,
		.parent = -1,
		.label = texts,
		.format = format_find(NULL, KIND_LABEL, 0),
	};
	f->width = f->format->width;
	return f;
}
