// SPDX-License-Identifier: Apache-2.0
/*
 * A schema as one line of JSON and back:
 *   {"name":"open","gadget":"trace_open","size":96,"fields":[{"name":"proc","kind":"none",…},…]}
 * A field's members are those of struct field; what is zero or NULL is left out; "enum" is a list
 * of [name, value]. Only fields of the record are written: the other part is a struct of this
 * process, whose fields the reader adds itself. Pointers never leave the process.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "columns/schema.h"

enum { MAX_ENUM_VALUES = 4096 };

/* NULL: not of a record. */
static const char *const kind_names[] = {
	[KIND_NONE] = "none",	[KIND_UINT] = "uint",	[KIND_INT] = "int",   [KIND_BOOL] = "bool",
	[KIND_CHARS] = "chars", [KIND_BYTES] = "bytes", [KIND_TEXT] = "text", [KIND_LIST] = "list",
	[KIND_CSTR] = NULL,	[KIND_LABELS] = NULL,	[KIND_LABEL] = NULL,
};

/* ---- writing ------------------------------------------------------------------------------- */

static void add_text_member(struct buf *out, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", key);
	json_quote(out, value, strlen(value));
}

static void add_number_member(struct buf *out, const char *key, uint64_t value)
{
	if (value)
		buf_printf(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void add_enum(struct buf *out, const struct field *f)
{
	if (!f->n_enum_values)
		return;
	buf_str(out, ",\"enum\":[");
	for (uint32_t i = 0; i < f->n_enum_values; i++) {
		buf_str(out, i ? ",[" : "[");
		json_quote(out, f->enum_values[i].name, strlen(f->enum_values[i].name));
		buf_char(out, ',');
		buf_i64(out, f->enum_values[i].value);
		buf_char(out, ']');
	}
	buf_char(out, ']');
}

static void add_field(struct buf *out, const struct field *f)
{
	buf_str(out, "{\"name\":");
	json_quote(out, f->name, strlen(f->name));
	add_text_member(out, "kind", kind_names[f->kind]);
	add_text_member(out, "type", f->type);
	add_text_member(out, "doc", f->doc);
	add_number_member(out, "offset", f->offset);
	add_number_member(out, "size", f->size);
	add_number_member(out, "flags", f->flags);
	add_number_member(out, "ellipsis", f->ellipsis);
	add_number_member(out, "width", f->width);
	add_enum(out, f);
	buf_char(out, '}');
}

void schema_to_json(const struct schema *s, struct buf *out)
{
	bool first = true;

	buf_str(out, "{\"name\":");
	json_quote(out, s->name ? s->name : "", s->name ? strlen(s->name) : 0);
	add_text_member(out, "gadget", s->gadget);
	add_text_member(out, "sort", s->sort);
	buf_printf(out, ",\"size\":%u,\"fields\":[", s->record_size);
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (f->part != PART_RECORD || !kind_names[f->kind])
			continue;
		buf_str(out, first ? "" : ",");
		first = false;
		add_field(out, f);
	}
	buf_str(out, "]}");
}

/* ---- reading ------------------------------------------------------------------------------- */

/* A number from 0 to max; 0 where the member is missing. */
static int get_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret)
{
	const json_t *member = json_object_get(object, key);

	*ret = 0;
	if (!member)
		return 0;
	if (!json_is_integer(member) || json_integer_value(member) < 0 ||
	    (uint64_t)json_integer_value(member) > max)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(member);
	return 0;
}

static int get_text(const json_t *object, const char *key, const char **ret)
{
	const json_t *member = json_object_get(object, key);

	*ret = NULL;
	if (!member)
		return 0;
	*ret = json_string_value(member);
	return *ret ? 0 : -EINVAL;
}

static int get_kind(const json_t *object, enum kind *ret)
{
	const char *name;

	if (get_text(object, "kind", &name) || !name)
		return -EINVAL;
	for (size_t i = 0; i < array_size(kind_names); i++)
		if (str_equal(kind_names[i], name)) {
			*ret = (enum kind)i;
			return 0;
		}
	return -EINVAL;
}

static int get_enum(const json_t *object, struct enum_value **ret, uint32_t *ret_n)
{
	const json_t *list = json_object_get(object, "enum");
	_cleanup_(freep) struct enum_value *values = NULL;
	size_t n = json_array_size(list);

	*ret_n = 0;
	if (!list)
		return 0;
	if (!json_is_array(list) || n > MAX_ENUM_VALUES)
		return -EINVAL;
	values = xnew_n(struct enum_value, n);
	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(list, i);

		values[i].name = json_string_value(json_array_get(pair, 0));
		if (!values[i].name || !json_is_integer(json_array_get(pair, 1)))
			return -EINVAL;
		values[i].value = json_integer_value(json_array_get(pair, 1));
	}
	*ret_n = (uint32_t)n;
	*ret = take(values);
	return 0;
}

static int read_field(struct schema *s, const json_t *object, struct err *err)
{
	_cleanup_(freep) struct enum_value *values = NULL;
	uint64_t offset, size, flags, ellipsis, width;
	struct field f = {0};

	if (get_text(object, "name", &f.name) || get_text(object, "type", &f.type) ||
	    get_text(object, "doc", &f.doc) || get_kind(object, &f.kind) ||
	    get_number(object, "offset", UINT32_MAX, &offset) ||
	    get_number(object, "size", UINT32_MAX, &size) ||
	    get_number(object, "flags", UINT8_MAX, &flags) ||
	    get_number(object, "ellipsis", ELLIPSIS_NONE, &ellipsis) ||
	    get_number(object, "width", UINT16_MAX, &width) ||
	    get_enum(object, &values, &f.n_enum_values))
		return err_set(err, -EINVAL, "a field's description is malformed");
	f.offset = (uint32_t)offset;
	f.size = (uint32_t)size;
	f.flags = (uint8_t)flags;
	f.ellipsis = (uint8_t)ellipsis;
	f.width = (uint16_t)width;
	f.enum_values = values;
	return schema_add(s, &f, err);
}

int schema_from_json(const char *text, size_t len, struct schema **ret, struct err *err)
{
	json_auto_t *root = NULL;
	_cleanup_(schema_unrefp) struct schema *s = NULL;
	const char *name, *gadget, *sort;
	const json_t *fields;
	json_error_t fault;
	uint64_t size;

	if (len > MAX_CONFIG_BYTES)
		return err_set(err, -E2BIG, "schema longer than %u bytes", MAX_CONFIG_BYTES);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
	if (!root)
		return err_set(err, -EINVAL, "schema: %s at byte %d", fault.text, fault.position);
	fields = json_object_get(root, "fields");
	if (get_text(root, "name", &name) || !name || get_text(root, "gadget", &gadget) ||
	    get_text(root, "sort", &sort) || get_number(root, "size", MAX_RECORD_BYTES, &size) ||
	    !json_is_array(fields))
		return err_set(err, -EINVAL, "schema: a member is missing or malformed");
	s = schema_new(gadget, name, (uint32_t)size);
	schema_set_sort(s, sort);
	for (size_t i = 0; i < json_array_size(fields); i++) {
		int r = read_field(s, json_array_get(fields, i), err);

		if (r)
			return err_wrap(err, r, "schema");
	}
	if (schema_finish(s, err))
		return err_wrap(err, -EINVAL, "schema");
	*ret = take(s);
	return 0;
}
