/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats: what a field's bytes mean to a person. A format is one row of the table in format.c,
 * found by the field's innermost typedef name (`g_errno`, `g_duration`); a field without such a row
 * has the plain format of its kind. To show a new kind of value, add a typedef to
 * include/gadget/types.h and a row to the table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/schema.h"

/* What turns clock readings into dates: constant for a boot, written into record files. */
struct clock_base {
	int64_t boot_to_real_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME */
};

void clock_base_now(struct clock_base *ret);

/* Which clock a row's times are of: its own, or that of those that have none; may be NULL. */
static inline const struct clock_base *row_clock(const struct row *row,
						 const struct clock_base *otherwise)
{
	return row->clock ? row->clock : otherwise;
}

/* What a number that is shown as a date counts; 0 is no time. */
enum date { NO_DATE, DATE_BOOT /* ns of the row's boot clock */, DATE_REAL /* Unix ns */ };

struct format {
	const char *type; /* typedef name; of groups a struct's; NULL: a kind's plain format */
	uint16_t kinds;	  /* bits 1 << KIND_…: fields stored otherwise have their plain format */
	uint32_t size;	  /* bytes that such a field must have; 0: any */
	uint16_t width;	  /* columns, where the field does not say */
	uint8_t flags; /* FIELD_RIGHT, FIELD_HIDDEN … by default; a group's hold for its members */
	uint8_t ellipsis;
	uint8_t date; /* enum date: filters read RFC 3339 */

	/*
	 * Appends the value as a person reads it, unescaped; the table escapes it. Appends nothing
	 * where absent.
	 */
	void (*text)(const struct field *f, const struct row *row, const struct clock_base *clock,
		     struct buf *out);

	/* Appends one JSON value. NULL: `text`, quoted. */
	void (*json)(const struct field *f, const struct row *row, const struct clock_base *clock,
		     struct buf *out);

	/*
	 * Reads what a person writes in a filter ("ENOENT", "10ms") as the field's raw number.
	 * NULL: plain numbers only; formats of text fields have none.
	 */
	int (*parse)(const struct field *f, const char *word, int64_t *ret);

	/* The same for fields of KIND_BYTES (addresses): fills f->size bytes to compare with. */
	int (*parse_bytes)(const struct field *f, const char *word, unsigned char *ret);
};

/* A group that is shown only by its members; others (an endpoint) have a text of their own. */
static inline bool field_is_mere_group(const struct field *f)
{
	return f->kind == KIND_NONE && !f->format->width;
}

/* The format of a type's name where it fits kind and size, else the kind's plain one; not NULL. */
const struct format *format_find(const char *type, enum kind kind, uint32_t size);

/* Fields that are a user's or a group's id and shown as its name: whose names, says the row. */
enum owner_kind { OWNER_NONE, OWNER_USER, OWNER_GROUP };
enum owner_kind field_owner(const struct field *f);

/* The name of such a field's id, which is *ret_id then. NULL: it has none, or the row no such id.
 */
const char *row_owner(const struct row *row, const struct field *f, uint32_t *ret_id);

/*
 * Bytes of text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD; what
 * would steer a terminal is written as \uXXXX, so that JSON may be looked at on one.
 */
void json_quote(struct buf *out, const char *bytes, size_t len);

/* The value of f in row as the columns show it: control characters escaped, … where it was cut. */
void field_text(const struct field *f, const struct row *row, const struct clock_base *clock,
		struct buf *out);

/* 30 bytes, "2026-11-22T10:00:00.123456789Z" (UTC), of a time since 1970 in ns, to p. */
char *put_rfc3339(char *p, int64_t real_ns);
