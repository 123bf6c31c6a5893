// SPDX-License-Identifier: Apache-2.0
/*
 * The fields of a data source: members of its record's struct, nested ones with dotted names. A
 * group stands before its members; anonymous structs and unions do not show.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/schema.h"
#include "gadget/describe.h"

#define MAX_PATH_BYTES 512
#define MAX_WIDTH 4096

struct walk {
	const struct types *types;
	struct source *src;
	struct err *err;
	struct buf path; /* of the field at hand, for its name and for errors */
	bool has_time, has_container;
};

/* What members take from the struct they are in. */
struct place {
	uint32_t offset;
	int16_t parent;
	uint8_t flags;
	unsigned int depth;
};

static int add_members(struct walk *w, uint32_t id, const struct place *at);

/* ---- hints: COL(hidden, width=12) ---------------------------------------------------- */

static const struct hint_flag {
	const char *word;
	uint8_t flag;
} hint_flags[] = {
	{ "hidden", FIELD_HIDDEN },
	{ "right", FIELD_RIGHT },
	{ "fixed", FIELD_FIXED },
	{ "skip-empty", FIELD_SKIP_EMPTY },
};

static const char *const ellipsis_words[] = {
	[ELLIPSIS_END] = "end",
	[ELLIPSIS_START] = "start",
	[ELLIPSIS_MIDDLE] = "middle",
	[ELLIPSIS_NONE] = "none",
};

static int apply_hint(struct field *f, const char *word)
{
	uint64_t width;

	for (size_t i = 0; i < array_size(hint_flags); i++) {
		if (!strcmp(word, hint_flags[i].word)) {
			f->flags |= hint_flags[i].flag;
			return 0;
		}
	}
	if (str_starts(word, "width=") && !parse_u64(word + strlen("width="), &width) && width &&
	    width <= MAX_WIDTH) {
		f->width = (uint16_t)width;
		return 0;
	}
	if (!str_starts(word, "ellipsis="))
		return -EINVAL;
	for (size_t i = 0; i < array_size(ellipsis_words); i++) {
		if (!strcmp(word + strlen("ellipsis="), ellipsis_words[i])) {
			f->ellipsis = (uint8_t)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The preprocessor wrote the hints: words between commas, with blanks where the author liked them.
 */
static int apply_hints(struct walk *w, struct field *f, const char *text)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = copy, *word, *to = copy;

	for (const char *from = text; *from; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = '\0';
	while ((word = strsep(&rest, ","))) {
		if (*word && apply_hint(f, word) < 0)
			return err_set(w->err, -EINVAL, "field %s has an unknown hint in COL(%s)",
				       buf_cstr(&w->path), describe_text(text, false) ? text : "…");
	}
	return 0;
}

static int apply_tags(struct walk *w, uint32_t id, uint32_t member, struct field *f)
{
	uint32_t cursor = 0;
	const char *text;
	int r;

	f->doc = describe_tag(w->types, id, (int)member, "doc:");
	if (f->doc && !describe_text(f->doc, false))
		return err_set(w->err, -EINVAL, "the text of field %s has control characters",
			       buf_cstr(&w->path));
	while ((text = types_tag(w->types, id, (int)member, "col:", &cursor))) {
		r = apply_hints(w, f, text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- fields -------------------------------------------------------------------------- */

/* Names of an enum's values; NULL (and 0) for other types. */
static struct enum_value *enum_values(const struct types *t, uint32_t id, uint32_t *ret_n)
{
	bool wide = types_kind(t, id) == BTF_KIND_ENUM64;
	struct enum_value *values;

	*ret_n = 0;
	if (types_kind(t, id) != BTF_KIND_ENUM && !wide)
		return NULL;
	*ret_n = types_count(t, id);
	values = xnew_n(struct enum_value, *ret_n);
	for (uint32_t i = 0; i < *ret_n; i++) {
		const struct btf_enum *e = &types_enums(t, id)[i];
		const struct btf_enum64 *e64 = &types_enums64(t, id)[i];

		if (wide)
			values[i] = (struct enum_value){
				.name = types_string(t, e64->name_off),
				.value = (int64_t)((uint64_t)e64->val_hi32 << 32 | e64->val_lo32),
			};
		else
			values[i] = (struct enum_value){
				.name = types_string(t, e->name_off),
				.value = e->val,
			};
	}
	return values;
}

/* The C name of a type that no typedef names; an array's is made up here. */
static const char *plain_type(const struct walk *w, uint32_t id, char array[static 32])
{
	const char *name = types_name(w->types, id);

	if (types_kind(w->types, id) == BTF_KIND_ARRAY) {
		uint32_t element = types_strip(w->types, types_array(w->types, id)->type, true);

		snprintf(array, 32, "%.16s[%u]", types_name(w->types, element),
			 types_array(w->types, id)->nelems);
		return array;
	}
	return *name ? name : NULL;
}

static int add_field(struct walk *w, uint32_t id, uint32_t member, const struct place *at)
{
	struct type_end end = describe_type(w->types, types_members(w->types, id)[member].type);
	_cleanup_(freep) struct enum_value *values = NULL;
	const char *of;
	char array[32];
	struct field f = {
		.name = buf_cstr(&w->path),
		.part = PART_RECORD,
		.flags = at->flags,
		.offset = at->offset,
		.size = (uint32_t)types_size(w->types, end.id),
		.parent = at->parent,
	};
	int r;

	r = describe_kind(w->types, &end, &f.kind, f.name, w->err);
	if (r < 0)
		return r;
	f.type = end.meaning ? end.meaning : plain_type(w, end.id, array);
	f.enum_values = values = enum_values(w->types, end.id, &f.n_enum_values);
	r = apply_tags(w, id, member, &f);
	if (r < 0)
		return r;
	if (f.type && !strcmp(f.type, "g_container")) {
		f.flags |= FIELD_INTERNAL;
		w->has_container = true;
	}
	if (f.type && !strcmp(f.type, "g_time")) {
		w->has_time = true;
		if (!f.doc && !strcmp(f.name, "timestamp"))
			f.doc = "When it happened";
	}
	r = schema_add(w->src->pub.schema, &f, w->err);
	if (r == 0 && (of = describe_tag(w->types, id, (int)member, "per-second:")))
		r = rate_describe(w->src, &f, of, w->err);
	if (r < 0 || f.kind != KIND_NONE)
		return r;
	return add_members(
		w, end.id,
		&(struct place){
			.offset = at->offset,
			.parent = (int16_t)(w->src->pub.schema->n_fields - 1),
			.flags = at->flags | (f.flags & (FIELD_HIDDEN | FIELD_SKIP_EMPTY)),
			.depth = at->depth + 1,
		});
}

static int add_member(struct walk *w, uint32_t id, uint32_t member, const struct place *at)
{
	const struct btf_member *m = &types_members(w->types, id)[member];
	const char *name = types_string(w->types, m->name_off);
	uint32_t width, end, bits = types_member_bits(w->types, id, member, &width);
	struct place inside = *at;
	size_t len = w->path.len;
	int r;

	inside.offset += bits / 8;
	end = describe_type(w->types, m->type).id;
	if (!*name && (types_kind(w->types, end) == BTF_KIND_STRUCT ||
		       types_kind(w->types, end) == BTF_KIND_UNION)) {
		inside.depth++;
		return add_members(w, end, &inside);
	}
	if (!describe_identifier(name))
		return err_set(w->err, -EINVAL, "data source %s has a field without a proper name",
			       w->src->prefix);
	if (len)
		buf_char(&w->path, '.');
	buf_str(&w->path, name);
	if (w->path.failed)
		return err_set(w->err, -EINVAL, "field %s has too long a name", name);
	if (width)
		return err_set(w->err, -EINVAL, "field %s is a bitfield; use a whole number",
			       buf_cstr(&w->path));
	r = add_field(w, id, member, &inside);
	w->path.len = len;
	buf_cstr(&w->path);
	return r;
}

static int add_members(struct walk *w, uint32_t id, const struct place *at)
{
	int r;

	if (at->depth > MAX_NESTING)
		return err_set(w->err, -EINVAL, "data source %s has structs nested deeper than %u",
			       w->src->prefix, MAX_NESTING);
	for (uint32_t i = 0; i < types_count(w->types, id); i++) {
		r = add_member(w, id, i, at);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A table's row is struct { struct KEY key; struct VALUE value; }: both show without these names.
 */
static int add_row(struct walk *w, uint32_t id)
{
	const struct btf_member *m = types_members(w->types, id);
	struct source *src = w->src;
	uint32_t width, part;
	int r;

	if (types_count(w->types, id) != 2 ||
	    strcmp(types_string(w->types, m[0].name_off), "key") ||
	    strcmp(types_string(w->types, m[1].name_off), "value"))
		return err_set(w->err, -EINVAL, "rows of table %s are not made of key and value",
			       src->prefix);
	for (uint32_t i = 0; i < 2; i++) {
		struct place at = {
			.offset = types_member_bits(w->types, id, i, &width) / 8,
			.parent = -1,
			.flags = i ? 0 : FIELD_KEY,
		};

		part = types_strip(w->types, m[i].type, true);
		if (types_kind(w->types, part) != BTF_KIND_STRUCT || width)
			return err_set(w->err, -EINVAL, "key and value of table %s are not structs",
				       src->prefix);
		if (i) {
			src->value_offset = at.offset;
			src->value_size = (uint32_t)types_size(w->types, part);
		} else {
			src->key_size = (uint32_t)types_size(w->types, part);
		}
		r = add_members(w, part, &at);
		if (r < 0)
			return r;
	}
	if (!src->key_size || src->value_offset < src->key_size)
		return err_set(w->err, -EINVAL,
			       "the key of table %s does not stand before its value", src->prefix);
	return 0;
}

int describe_fields(const struct types *t, uint32_t record, struct source *src, struct err *err)
{
	struct walk w = { .types = t, .src = src, .err = err };
	int r;

	buf_init(&w.path, MAX_PATH_BYTES);
	if (src->pub.kind == SOURCE_TOP && !src->pub.sampled)
		r = add_row(&w, record);
	else
		r = add_members(&w, record, &(struct place){ .parent = -1 });
	buf_done(&w.path);
	if (r < 0)
		return r;
	if (src->pub.kind != SOURCE_SNAPSHOT && !w.has_container)
		return err_set(err, -EINVAL, "data source %s has no field of type g_container",
			       src->prefix);
	if (src->pub.kind == SOURCE_TRACER && !w.has_time)
		return err_set(err, -EINVAL, "data source %s has no field of type g_time",
			       src->prefix);
	return 0;
}
