// SPDX-License-Identifier: Apache-2.0
/*
 * Reading fields of rows, which may come from hostile objects or broken files: every place is
 * checked.
 */
#include <string.h>

#include "columns/format.h"
#include "columns/labels.h"
#include "columns/schema.h"
#include "columns/types.h"

static const char *field_bytes(const struct row *row, const struct field *f)
{
	const char *part = row->part[f->part];
	uint32_t size = row->size[f->part];

	return part && f->size <= size && f->offset <= size - f->size ? part + f->offset : NULL;
}

/* A pointer, or a label by its key; NULL where there is none. p: the field's bytes. */
static const char *own_text(const char *p, const struct field *f)
{
	struct labels labels;
	const char *text;

	if (f->kind == KIND_LABEL) {
		memcpy(&labels, p, sizeof(labels));
		return labels_get(&labels, f->label);
	}
	memcpy(&text, p, sizeof(text));
	return text;
}

bool row_has(const struct row *row, const struct field *f)
{
	const char *p = field_bytes(row, f);

	return p && (f->kind == KIND_CSTR || f->kind == KIND_LABEL) ? own_text(p, f) : p;
}

bool row_labels(const struct row *row, const struct field *f, struct labels *ret)
{
	const char *p = field_bytes(row, f);

	if (!p || f->kind != KIND_LABELS)
		return false;
	memcpy(ret, p, sizeof(*ret));
	return true;
}

bool row_number(const struct row *row, const struct field *f, int64_t *ret)
{
	const char *p = field_bytes(row, f);
	bool is_signed = f->kind == KIND_INT;
	union {
		uint8_t u1;
		uint16_t u2;
		uint32_t u4;
		uint64_t u8;
	} v;

	if (!p || (f->kind != KIND_UINT && f->kind != KIND_INT && f->kind != KIND_BOOL))
		return false;
	switch (f->size) {
	case 1:
		memcpy(&v.u1, p, 1);
		*ret = is_signed ? (int8_t)v.u1 : v.u1;
		return true;
	case 2:
		memcpy(&v.u2, p, 2);
		*ret = is_signed ? (int16_t)v.u2 : v.u2;
		return true;
	case 4:
		memcpy(&v.u4, p, 4);
		*ret = is_signed ? (int32_t)v.u4 : (int64_t)v.u4;
		return true;
	case 8:
		memcpy(&v.u8, p, 8);
		*ret = (int64_t)v.u8;
		return true;
	}
	return false;
}

bool row_text(const struct row *row, const struct field *f, const char **ret, size_t *ret_len,
	      bool *ret_truncated)
{
	const char *p = field_bytes(row, f), *text;
	struct g_text_place place;
	uint32_t size = row->size[f->part], len;

	if (!p)
		return false;
	*ret_truncated = false;
	switch (f->kind) {
	case KIND_CHARS:
		*ret = p;
		*ret_len = strnlen(p, f->size);
		return true;
	case KIND_BYTES:
		*ret = p;
		*ret_len = f->size;
		return true;
	case KIND_CSTR:
	case KIND_LABEL:
		text = own_text(p, f);
		if (!text)
			return false;
		*ret = text;
		*ret_len = strlen(text);
		return true;
	case KIND_TEXT:
	case KIND_LIST:
		memcpy(&place, p, sizeof(place));
		len = place.length & ~G_TRUNCATED;
		*ret_truncated = place.length & G_TRUNCATED;
		if (place.offset > size || len > size - place.offset)
			return false;
		*ret = (const char *)row->part[f->part] + place.offset;
		*ret_len = len;
		return true;
	default:
		return false;
	}
}

uint64_t row_time(const struct schema *s, const struct row *row)
{
	int64_t ns;

	return s->time_field >= 0 && row_number(row, &s->fields[s->time_field], &ns) ? (uint64_t)ns
										     : 0;
}

void schema_shift_times(const struct schema *s, void *record, size_t size, int64_t by)
{
	for (size_t i = 0; by && i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];
		uint64_t boot_ns;

		if (f->part != PART_RECORD || f->format->date != DATE_BOOT ||
		    f->size != sizeof(boot_ns) || f->offset + sizeof(boot_ns) > size)
			continue;
		memcpy(&boot_ns, (char *)record + f->offset, sizeof(boot_ns));
		boot_ns += boot_ns ? (uint64_t)by : 0;
		memcpy((char *)record + f->offset, &boot_ns, sizeof(boot_ns));
	}
}
