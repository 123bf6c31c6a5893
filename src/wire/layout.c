// SPDX-License-Identifier: Apache-2.0
/* Where each field of a schema goes in a row on the wire. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/encoder.h"

static bool is_number(const struct field *f)
{
	return f->kind == KIND_UINT || f->kind == KIND_INT || f->kind == KIND_BOOL;
}

static bool is_truth(const struct field *f)
{
	return f->size == 1 && f->format->text == format_find(NULL, KIND_BOOL, 1)->text;
}

/* True where every client shows the bytes as we do. */
static bool is_plain(const struct field *f)
{
	return is_truth(f) || ((is_number(f) || f->kind == KIND_CHARS) &&
			       f->format->text == format_find(NULL, f->kind, f->size)->text);
}

static Api__Kind kind_of(const struct field *f)
{
	static const Api__Kind numbers[2][9] = {
		{[1] = API__KIND__Uint8,
		 [2] = API__KIND__Uint16,
		 [4] = API__KIND__Uint32,
		 [8] = API__KIND__Uint64},
		{[1] = API__KIND__Int8,
		 [2] = API__KIND__Int16,
		 [4] = API__KIND__Int32,
		 [8] = API__KIND__Int64},
	};

	if (is_truth(f))
		return API__KIND__Bool;
	switch (f->kind) {
	case KIND_UINT:
	case KIND_INT:
		return numbers[f->kind == KIND_INT][f->size];
	case KIND_CHARS:
		return API__KIND__CString;
	default:
		return API__KIND__Bytes;
	}
}

static struct wire_field *add_field(struct wire_source *s, const struct field *f, int32_t parent)
{
	struct wire_field *w = grow(&s->fields, &s->n_fields, &s->room_fields);

	*w = (struct wire_field){.field = f, .parent = parent};
	if (f->flags & FIELD_HIDDEN)
		w->flags |= API_HIDDEN;
	if (parent >= 0)
		w->flags |= API_HAS_PARENT;
	return w;
}

/* Not for reading: its format shows it in hexadecimal. */
static bool is_octets(const struct field *f)
{
	return f->kind == KIND_TEXT && f->format->type && !strcmp(f->format->type, "g_octets");
}

/* A payload of its own, which a compact row does not have: then the field is not told of either. */
static void add_payload(struct wire_source *s, const struct field *f, int32_t parent, bool number)
{
	struct wire_field *w;

	if (s->compact)
		return;
	w = add_field(s, f, parent);
	w->kind = number ? kind_of(f) : is_octets(f) ? API__KIND__Bytes : API__KIND__String;
	w->raw = number && !is_plain(f);
	w->flags |= w->raw ? API_HIDDEN : 0;
	*grow(&s->payloads, &s->n_payloads, &s->room_payloads) = (struct wire_payload){f, number};
	w->payload = (uint32_t)s->n_payloads;
}

/* A member of the record in its place. */
static void add_member(struct wire_source *s, const struct field *f, int32_t parent)
{
	struct wire_field *w = add_field(s, f, parent);

	w->kind = kind_of(f);
	w->raw = !is_plain(f);
	w->flags |= API_STATIC | (w->raw ? API_HIDDEN : 0);
}

/* The name of the raw number may be a field's own. */
static bool raw_name_is_free(const struct wire_source *s, const struct field *f)
{
	_cleanup_(freep) char *name = xasprintf("%s_raw", f->name);

	return !schema_field(s->schema, name);
}

static void add_leaf(struct wire_source *s, const struct field *f, int32_t parent)
{
	bool plain = is_plain(f);
	bool in_place = f->part == PART_RECORD && f->kind != KIND_TEXT && f->kind != KIND_LIST;
	bool bytes = plain || raw_name_is_free(s, f);

	if (in_place && bytes)
		add_member(s, f, parent);
	else if (is_number(f) && bytes)
		add_payload(s, f, parent, true);
	if (!plain)
		add_payload(s, f, parent, false);
}

static void add_group(struct wire_source *s, const struct field *f, int32_t parent)
{
	if (field_is_mere_group(f) || s->compact)
		add_field(s, f, parent)->flags |= API_EMPTY;
	else
		add_payload(s, f, parent, false);
}

void wire_layout(struct wire_source *s)
{
	const struct schema *schema = s->schema;
	_cleanup_(freep) int32_t *place = xnew_n(int32_t, schema->n_fields); /* of groups */
	bool leading = true; /* nothing but the container's so far */

	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];
		int32_t parent = f->parent < 0 ? -1 : place[f->parent];

		s->enriched = s->enriched || f->part == PART_CONTAINER;
		if (f->part == PART_RECORD && field_owner(f) != OWNER_NONE)
			*grow(&s->owners, &s->n_owners, &s->room_owners) = f;
		if (f->flags & FIELD_INTERNAL || (s->compact && f->part == PART_CONTAINER))
			continue;
		place[i] = (int32_t)s->n_fields;
		if (f->kind == KIND_NONE)
			add_group(s, f, parent);
		else
			add_leaf(s, f, parent);
		leading = leading && f->part == PART_CONTAINER;
		if (leading)
			s->n_container_payloads = s->n_payloads;
	}
}

bool wire_source_is_table(const struct wire_source *s)
{
	return s->kind != SOURCE_TRACER;
}
