// SPDX-License-Identifier: Apache-2.0
/* Building schemas and finding fields in them. */
#include "columns/schema.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/arena.h"
#include "columns/format.h"
#include "columns/types.h"

enum { MAX_NAME = 255 }; /* bytes of a field's path */

struct schema *schema_new(const char *gadget, const char *name, uint32_t record_size)
{
	struct schema *s = xnew(struct schema);
	struct arena *a = xnew(struct arena);

	*s = (struct schema){
		.refs = 1,
		.name = arena_strdup(a, name),
		.gadget = arena_strdup(a, gadget),
		.record_size = record_size,
		.time_field = -1,
		.container_field = -1,
		.arena = a,
	};
	return s;
}

void schema_set_sort(struct schema *s, const char *sort)
{
	s->sort = arena_strdup(s->arena, sort);
}

struct schema *schema_ref(struct schema *s)
{
	s->refs++;
	return s;
}

struct schema *schema_unref(struct schema *s)
{
	if (s && !--s->refs) {
		arena_done(s->arena);
		free(s->arena);
		free(s->fields);
		free(s);
	}
	return NULL;
}

void schema_unrefp(struct schema **s)
{
	schema_unref(*s);
}

static bool enum_same(const struct field *a, const struct field *b)
{
	if (a->n_enum_values != b->n_enum_values)
		return false;
	for (uint32_t i = 0; i < a->n_enum_values; i++)
		if (a->enum_values[i].value != b->enum_values[i].value ||
		    !str_equal(a->enum_values[i].name, b->enum_values[i].name))
			return false;
	return true;
}

static bool field_same(const struct field *a, const struct field *b)
{
	return str_equal(a->name, b->name) && str_equal(a->doc, b->doc) &&
	       str_equal(a->type, b->type) && a->kind == b->kind && a->flags == b->flags &&
	       a->ellipsis == b->ellipsis && a->offset == b->offset && a->size == b->size &&
	       a->width == b->width && enum_same(a, b);
}

/* The record's next field from *i on, NULL behind the last; *i is then behind it. */
static const struct field *next_of_record(const struct schema *s, size_t *i)
{
	while (*i < s->n_fields && s->fields[*i].part != PART_RECORD)
		++*i;
	return *i < s->n_fields ? &s->fields[(*i)++] : NULL;
}

bool schema_same(const struct schema *a, const struct schema *b)
{
	const struct field *of_a, *of_b;
	size_t i = 0, j = 0;

	if (!str_equal(a->name, b->name) || !str_equal(a->gadget, b->gadget) ||
	    a->record_size != b->record_size)
		return false;
	do {
		of_a = next_of_record(a, &i);
		of_b = next_of_record(b, &j);
	} while (of_a && of_b && field_same(of_a, of_b));
	return !of_a && !of_b;
}

static const struct field *find_name(const struct schema *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (!strncmp(s->fields[i].name, name, len) && !s->fields[i].name[len])
			return &s->fields[i];
	return NULL;
}

const struct field *schema_field(const struct schema *s, const char *name)
{
	return find_name(s, name, strlen(name));
}

static bool size_fits_kind(const struct field *f)
{
	switch (f->kind) {
	case KIND_NONE:
		return true;
	case KIND_UINT:
	case KIND_INT:
		return f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8;
	case KIND_BOOL:
		return f->size == 1;
	case KIND_CHARS:
	case KIND_BYTES:
		return f->size > 0 && f->size <= MAX_RECORD_BYTES;
	case KIND_TEXT:
	case KIND_LIST:
		return f->size == sizeof(struct g_text_place);
	case KIND_CSTR:
		return f->size == sizeof(char *);
	case KIND_LABELS:
		return f->size == sizeof(struct labels);
	case KIND_LABEL:
		break;
	}
	return false;
}

static int check_name(const char *name, struct err *err)
{
	size_t depth = 0;

	if (!name || !*name || strlen(name) > MAX_NAME)
		return err_set(err, -EINVAL, "a field's name is empty or too long");
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("\"\\,:;=<>!~", *p))
			return err_set(err, -EINVAL, "a field's name has a character 0x%02x",
				       (unsigned char)*p);
		if (*p == '.' && (p == name || !p[1] || p[1] == '.'))
			return err_set(err, -EINVAL, "field '%s': empty part of the name", name);
		depth += *p == '.';
	}
	if (depth >= MAX_NESTING)
		return err_set(err, -E2BIG, "field '%s' is nested too deeply", name);
	return 0;
}

static int check_field(const struct schema *s, const struct field *f, struct err *err)
{
	uint32_t end;
	int r = check_name(f->name, err);

	if (r)
		return r;
	if (s->n_fields >= MAX_FIELDS)
		return err_set(err, -E2BIG, "more than %d fields", MAX_FIELDS);
	if (schema_field(s, f->name))
		return err_set(err, -EEXIST, "two fields '%s'", f->name);
	if (f->part >= ROW_PARTS || f->ellipsis > ELLIPSIS_NONE || !size_fits_kind(f) ||
	    __builtin_add_overflow(f->offset, f->size, &end))
		return err_set(err, -EINVAL, "field '%s' is malformed", f->name);
	if (f->part == PART_RECORD && end > s->record_size)
		return err_set(err, -EINVAL, "field '%s' lies outside the record", f->name);
	if (f->n_enum_values && !f->enum_values)
		return err_set(err, -EINVAL, "field '%s' is malformed", f->name);
	return 0;
}

static void copy_enum(struct arena *a, struct field *f)
{
	struct enum_value *values = arena_alloc(a, f->n_enum_values * sizeof(*values));

	for (uint32_t i = 0; i < f->n_enum_values; i++)
		values[i] = (struct enum_value){.name = arena_strdup(a, f->enum_values[i].name),
						.value = f->enum_values[i].value};
	f->enum_values = values;
}

/* The group that a name's part before the last dot names, made where it does not exist. */
static int find_parent(struct schema *s, const struct field *f, int16_t *ret, struct err *err)
{
	const char *dot = strrchr(f->name, '.');
	_cleanup_(freep) char *name = dot ? xstrndup(f->name, (size_t)(dot - f->name)) : NULL;
	const struct field *group;

	if (!dot) {
		*ret = -1;
		return 0;
	}
	group = schema_field(s, name);
	if (!group) {
		int r = schema_add(s, &(struct field){.name = name, .part = f->part}, err);

		if (r)
			return r;
		group = schema_field(s, name);
	}
	if (group->kind != KIND_NONE)
		return err_set(err, -EINVAL, "field '%s' is not a group", name);
	*ret = (int16_t)(group - s->fields);
	return 0;
}

int schema_add(struct schema *s, const struct field *f, struct err *err)
{
	struct field *added;
	int16_t parent = -1;
	int r = check_field(s, f, err);

	if (!r)
		r = find_parent(s, f, &parent, err);
	if (!r && s->n_fields >= MAX_FIELDS) /* the group took the last place */
		r = err_set(err, -E2BIG, "more than %d fields", MAX_FIELDS);
	if (r)
		return r;
	added = grow(&s->fields, &s->n_fields, &s->room_fields);
	*added = *f;
	added->parent = parent;
	added->name = arena_strdup(s->arena, f->name);
	added->doc = arena_strdup(s->arena, f->doc);
	added->type = arena_strdup(s->arena, f->type);
	added->format = NULL;
	added->alias = NULL;
	if (f->n_enum_values)
		copy_enum(s->arena, added);
	else
		added->enum_values = NULL;
	return 0;
}

int schema_add_table(struct schema *s, const struct field *table, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = schema_add(s, &table[i], err);

		if (r)
			return r;
	}
	return 0;
}

/* Moves a field and its members, in order of adding, to the end of `to`. */
static void place(const struct schema *s, size_t from, int16_t parent, struct field *to, size_t *n)
{
	size_t at = *n;

	to[at] = s->fields[from];
	to[at].parent = parent;
	(*n)++;
	if (s->fields[from].kind != KIND_NONE)
		return;
	for (size_t i = from + 1; i < s->n_fields; i++)
		if (s->fields[i].parent == (int16_t)from)
			place(s, i, (int16_t)at, to, n);
}

static void order_fields(struct schema *s)
{
	static const uint8_t order[ROW_PARTS] = {PART_CONTAINER, PART_RECORD, PART_DERIVED};
	struct field *to = xnew_n(struct field, s->n_fields);
	size_t n = 0;

	for (size_t part = 0; part < ROW_PARTS; part++)
		for (size_t i = 0; i < s->n_fields; i++)
			if (s->fields[i].parent < 0 && s->fields[i].part == order[part])
				place(s, i, -1, to, &n);
	free(s->fields);
	s->fields = to;
	s->room_fields = s->n_fields;
}

static void set_format(struct schema *s, struct field *f)
{
	const uint8_t inherited = FIELD_HIDDEN | FIELD_INTERNAL | FIELD_SKIP_EMPTY;

	f->format = format_find(f->type, f->kind, f->size);
	if (!f->format->type && f->n_enum_values)
		f->format = format_find("enum", f->kind, f->size);
	f->flags |= f->format->flags;
	if (f->parent >= 0)
		f->flags |= s->fields[f->parent].flags & inherited;
	if (!f->width)
		f->width = f->format->width;
	if (f->ellipsis == ELLIPSIS_END)
		f->ellipsis = f->format->ellipsis;
}

int schema_finish(struct schema *s, struct err *err)
{
	if (!s->n_fields)
		return err_set(err, -EINVAL, "'%s' has no fields", s->name ? s->name : "schema");
	order_fields(s);
	for (size_t i = 0; i < s->n_fields; i++) {
		struct field *f = &s->fields[i];

		set_format(s, f);
		f->alias = NULL;
		if (f->flags & FIELD_ALIAS && f->parent >= 0) /* which was before it */
			s->fields[f->parent].alias = f;
		if (f->part != PART_RECORD || !f->type || f->kind != KIND_UINT || f->size != 8)
			continue;
		if (s->time_field < 0 && !strcmp(f->type, "g_time"))
			s->time_field = (int16_t)i;
		if (s->container_field < 0 && !strcmp(f->type, "g_container"))
			s->container_field = (int16_t)i;
	}
	return 0;
}

/* ---- what a person means ------------------------------------------------------------------- */

/* True where name is the whole path or its last parts. */
static bool is_tail_of(const char *path, const char *name)
{
	size_t path_len = strlen(path), len = strlen(name);

	return len <= path_len && !strcasecmp(path + path_len - len, name) &&
	       (len == path_len || path[path_len - len - 1] == '.');
}

/* A number that is smaller for what is more likely meant. */
static size_t distance(const struct field *f)
{
	size_t depth = 0;

	for (const char *p = f->name; *p; p++)
		depth += *p == '.';
	return depth * 2 + (f->flags & FIELD_HIDDEN ? 1 : 0);
}

static bool may_be_meant(const struct field *f, bool set)
{
	return !(f->flags & FIELD_INTERNAL) && (!set || f->kind == KIND_LABELS);
}

/*
 * The field of the least distance whose path ends in name. *ret_other is another one that is as
 * near, or NULL.
 */
static const struct field *find_short(const struct schema *s, const char *name, bool set,
				      const struct field **ret_other)
{
	const struct field *best = NULL;
	size_t best_distance = SIZE_MAX;

	*ret_other = NULL;
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (!may_be_meant(f, set) || !is_tail_of(f->name, name))
			continue;
		if (distance(f) < best_distance) {
			best = f;
			best_distance = distance(f);
			*ret_other = NULL;
		} else if (distance(f) == best_distance) {
			*ret_other = f;
		}
	}
	return best;
}

static const char *nth_path(const void *ctx, size_t i)
{
	const struct schema *s = ctx;

	if (i >= s->n_fields)
		return NULL;
	return s->fields[i].flags & FIELD_INTERNAL ? "" : s->fields[i].name;
}

static const char *nth_last_part(const void *ctx, size_t i)
{
	const char *path = nth_path(ctx, i), *dot = path ? strrchr(path, '.') : NULL;

	return dot ? dot + 1 : path;
}

/* By whole path or last parts, as find_short(). set: a set of labels is meant. */
static const struct field *find_meant(const struct schema *s, const char *name, bool set,
				      const struct field **ret_other)
{
	const struct field *f = schema_field(s, name);

	*ret_other = NULL;
	return f && may_be_meant(f, set) ? f : find_short(s, name, set, ret_other);
}

static void refuse(const struct schema *s, const char *name, const struct field *f,
		   const struct field *other, struct err *err)
{
	const char *suggestion;

	if (f) {
		err_set(err, -ENOENT, "'%s' may be '%s' or '%s'", name, f->name, other->name);
		return;
	}
	suggestion = nearest(name, nth_path, s);
	if (!suggestion)
		suggestion = nearest(name, nth_last_part, s);
	if (suggestion)
		err_set(err, -ENOENT, "no field '%s'; did you mean '%s'?", name, suggestion);
	else
		err_set(err, -ENOENT, "no field '%s'", name);
}

const struct field *schema_require(const struct schema *s, const char *name, struct err *err)
{
	const struct field *other, *f = find_meant(s, name, false, &other);

	if (f && !other)
		return f;
	refuse(s, name, f, other, err);
	return NULL;
}

static const char *nth_set(const void *ctx, size_t i)
{
	const struct schema *s = ctx;
	const char *path = nth_path(ctx, i);

	return path && s->fields[i].kind != KIND_LABELS ? "" : path;
}

static const char *nth_set_last_part(const void *ctx, size_t i)
{
	const struct schema *s = ctx;
	const char *part = nth_last_part(ctx, i);

	return part && s->fields[i].kind != KIND_LABELS ? "" : part;
}

/* For "k8s.podLables.app": the set that its start is near to, and the key behind it. */
static bool suggest_label(const struct schema *s, const char *name, struct err *err)
{
	const char *dot = strchr(name, '.');

	for (; dot && dot[1] && dot - name <= MAX_NAME; dot = strchr(dot + 1, '.')) {
		_cleanup_(freep) char *start = xstrndup(name, (size_t)(dot - name));
		const char *set =
			nearest(start, nth_set, s) ?: nearest(start, nth_set_last_part, s);

		if (!set || !*set)
			continue;
		err_set(err, -ENOENT, "no field '%s'; did you mean '%s%s'?", name, set, dot);
		return true;
	}
	return false;
}

/*
 * The longest start of name, up to a dot, that means a set; what stands behind it is the key.
 * *ret_other: another set that it may be as well.
 */
static const struct field *find_set(const struct schema *s, const char *name, const char **ret_key,
				    const struct field **ret_other)
{
	_cleanup_(freep) char *start = xstrndup(name, MAX_NAME + 1);
	char *dot;

	while ((dot = strrchr(start, '.'))) {
		const struct field *f;

		*dot = '\0';
		f = find_meant(s, start, true, ret_other);
		*ret_key = name + (dot + 1 - start);
		if (f && **ret_key)
			return f;
	}
	*ret_other = NULL;
	return NULL;
}

const struct field *schema_require_or_label(const struct schema *s, const char *name,
					    const char **ret_key, struct err *err)
{
	const struct field *other, *f = find_meant(s, name, false, &other), *set = NULL;
	const char *key = NULL;

	if (!f)
		set = find_set(s, name, &key, &other);
	if (set && strlen(key) > MAX_LABEL_KEY_BYTES) {
		err_set(err, -ENOENT, "a label's key has at most %d bytes, not %zu",
			MAX_LABEL_KEY_BYTES, strlen(key));
		return NULL;
	}
	if ((f || set) && !other) {
		*ret_key = set ? key : NULL;
		return set ?: f;
	}
	if (f || set || !suggest_label(s, name, err))
		refuse(s, name, f ?: set, other, err);
	return NULL;
}
