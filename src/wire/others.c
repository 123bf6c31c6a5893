// SPDX-License-Identifier: Apache-2.0
/*
 * Data sources by what every server says of them: fields, kinds and annotations. Out of that come
 * a record of our own, of numbers and texts, and the places of its values in a row.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/types.h"
#include "wire/decoder.h"

enum { MAX_WIDTH = 1024 };

static bool is_kind(uint32_t kind, Api__Kind from, Api__Kind to)
{
	return kind >= from && kind <= to;
}

static bool is_text(uint32_t kind)
{
	return kind == API__KIND__String || kind == API__KIND__CString;
}

/* Has the field a value that can be fetched? */
static bool has_value(const Api__Field *f)
{
	uint32_t plain = (uint32_t)f->kind & ~API__KIND__ArrayOf, end;

	return !(f->flags & (API_EMPTY | API_CONTAINER | API_UNREFERENCED)) &&
	       is_kind(plain, API__KIND__Bool, API__KIND__Bytes) &&
	       f->payloadindex < WIRE_MAX_PAYLOADS &&
	       !__builtin_add_overflow(f->offs, f->size, &end);
}

static void add_place(struct wire_places *to, struct decoded_source *d, const Api__Field *f,
		      const struct field *as)
{
	*grow(&to->items, &to->n, &to->room) = (struct wire_place){
		.payload = f->payloadindex,
		.offs = f->offs,
		.size = f->size,
		.kind = (uint32_t)f->kind,
		.to_kind = as->kind,
		.to_offset = as->offset,
		.to_size = as->size,
	};
	if (d->n_payloads <= f->payloadindex)
		d->n_payloads = f->payloadindex + 1;
}

/* ---- containers ---------------------------------------------------------------------------- */

/* Can a value of a server's kind be that of a field of struct container? */
static bool fits(uint32_t kind, const struct field *f)
{
	switch (f->kind) {
	case KIND_UINT:
		return is_kind(kind, API__KIND__Int8, API__KIND__Uint64);
	case KIND_BOOL:
		return kind == API__KIND__Bool;
	case KIND_CSTR:
	case KIND_LABELS:
		return is_text(kind);
	default:
		return false;
	}
}

/* NAME, or NAME_raw where NAME is a text that has been made of a number. */
static const struct field *member_of(const Api__Field *f)
{
	static const char raw[] = "_raw";
	size_t n, len = strlen(f->fullname);
	const struct field *fields = container_schema_fields(&n);

	for (size_t i = 0; has_value(f) && i < n; i++) {
		size_t name = strlen(fields[i].name);

		if (!strncmp(f->fullname, fields[i].name, name) &&
		    (len == name || !strcmp(f->fullname + name, raw)) &&
		    fits((uint32_t)f->kind, &fields[i]))
			return &fields[i];
	}
	return NULL;
}

void wire_find_members(const Api__DataSource *source, struct decoded_source *to, struct schema *s)
{
	for (size_t i = 0; i < source->n_fields; i++) {
		const struct field *member = member_of(source->fields[i]);

		if (!member)
			continue;
		if (s && schema_field(s, member->name))
			continue; /* told twice */
		if (!s || !schema_add(s, member, NULL))
			add_place(&to->members, to, source->fields[i], member);
	}
}

/* Is it the text of a number that wire_find_members() took as NAME_raw? */
static bool is_told_by_container(const struct schema *s, const char *name)
{
	const struct field *f = schema_field(s, name);

	return f && f->part == PART_CONTAINER && f->kind != KIND_NONE;
}

/* ---- records ------------------------------------------------------------------------------- */

static const Api__Field *find(const Api__DataSource *source, const char *name, size_t len)
{
	for (size_t i = 0; i < source->n_fields; i++) {
		const char *full = source->fields[i]->fullname;

		if (!strncmp(full, name, len) && !full[len])
			return source->fields[i];
	}
	return NULL;
}

/* A number that the server shows as the text NAME besides. */
static bool is_raw(const Api__DataSource *source, const char *name)
{
	size_t len = strlen(name);
	const Api__Field *shown;

	if (len <= 4 || strcmp(name + len - 4, "_raw"))
		return false;
	shown = find(source, name, len - 4);
	return shown && has_value(shown);
}

/* A field with a value of its own and members is a group for us, and its value one of them. */
static bool has_members(const Api__DataSource *source, const Api__Field *f)
{
	size_t len = strlen(f->fullname);

	for (size_t i = 0; i < source->n_fields; i++)
		if (!strncmp(source->fields[i]->fullname, f->fullname, len) &&
		    source->fields[i]->fullname[len] == '.')
			return true;
	return false;
}

static void set_kind(struct field *to, uint32_t kind)
{
	static const uint8_t sizes[] = {1, 2, 4, 8};

	if (kind == API__KIND__Bool) {
		to->kind = KIND_BOOL;
		to->size = 1;
	} else if (is_kind(kind, API__KIND__Int8, API__KIND__Uint64)) {
		to->kind = kind < API__KIND__Uint8 ? KIND_INT : KIND_UINT;
		to->size = sizes[(kind - API__KIND__Int8) % 4];
	} else {
		to->kind = KIND_TEXT;
		to->size = sizeof(g_text);
	}
}

static void set_looks(struct field *to, const Api__Field *f)
{
	const char *width = wire_note(f->annotations, f->n_annotations, "columns.width");
	const char *ellipsis = wire_note(f->annotations, f->n_annotations, "columns.ellipsis");
	uint64_t columns;

	if (width && !parse_u64(width, &columns) && columns <= MAX_WIDTH)
		to->width = (uint16_t)columns;
	for (size_t i = 0; i <= ELLIPSIS_NONE; i++)
		if (str_equal(wire_ellipses[i], ellipsis))
			to->ellipsis = (uint8_t)i;
	if (f->flags & API_HIDDEN ||
	    str_equal(wire_note(f->annotations, f->n_annotations, "columns.hidden"), "true"))
		to->flags |= FIELD_HIDDEN;
	if (str_equal(wire_note(f->annotations, f->n_annotations, "columns.alignment"), "right"))
		to->flags |= FIELD_RIGHT;
	if (str_equal(wire_note(f->annotations, f->n_annotations, "columns.fixed"), "true"))
		to->flags |= FIELD_FIXED;
}

/* False where the field has a name that no field of ours can have: it is left out. */
static bool add_field(struct schema *s, const Api__DataSource *source, const Api__Field *f,
		      struct decoded_source *to)
{
	_cleanup_(freep) char *text_name = NULL, *doc = NULL;
	const char *about = wire_note(f->annotations, f->n_annotations, "description");
	struct field as = {.name = f->fullname, .parent = -1, .offset = s->record_size};

	if (has_members(source, f))
		as.name = text_name = xasprintf("%s.text", f->fullname);
	if (about)
		as.doc = doc = wire_shown(about);
	set_kind(&as, (uint32_t)f->kind);
	set_looks(&as, f);
	if (is_raw(source, f->fullname))
		as.flags |= FIELD_HIDDEN;
	s->record_size += as.size;
	if (schema_add(s, &as, NULL)) {
		s->record_size -= as.size;
		return false;
	}
	add_place(&to->record, to, f, &as);
	return true;
}

struct schema *wire_other_schema(const Api__DataSource *source, const char *gadget,
				 const char *name, struct decoded_source *to)
{
	struct schema *s = schema_new(gadget, name, 0);

	wire_find_members(source, to, s);
	for (size_t i = 0; i < source->n_fields && s->n_fields < MAX_FIELDS; i++) {
		const Api__Field *f = source->fields[i];

		if (has_value(f) && !member_of(f) && !is_told_by_container(s, f->fullname))
			add_field(s, source, f, to);
	}
	to->record_size = s->record_size;
	return schema_finish(s, NULL) ? schema_unref(s) : s;
}
