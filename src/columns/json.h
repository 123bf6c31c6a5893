/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as JSON: one object each, nested by the dotted names. What can be known of a schema
 * beforehand is compiled once into a plan: the bytes of keys and braces, and one operation per
 * field.
 *
 * In the object: numbers and booleans are such, g_time is RFC 3339 in UTC with nanoseconds (null:
 * no time), named numbers are their names, addresses are text, lists of strings are arrays. A text
 * that the kernel side cut has a sibling NAME_truncated:true. Fields that a row does not have are
 * left out, as are groups that would be empty. It is always valid JSON in valid UTF-8.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "columns/format.h"
#include "columns/select.h"

struct json_plan;

/*
 * selected: which fields of the schema are wanted (both constant while the plan lives); NULL: all
 * that are not internal. head: members that come first in each object, with a comma
 * behind each ("\"gadget\":\"x\","); copied.
 */
struct json_plan *json_plan_new(const struct schema *s, const struct selection *selected,
				const char *head, const struct clock_base *clock);
struct json_plan *json_plan_free(struct json_plan *p); /* NULL is fine */

/*
 * Appends the row's object, without newline; late adds "late":true. False, with nothing appended,
 * where that does not fit into out.
 */
bool json_plan_row(struct json_plan *p, const struct row *row, bool late, struct buf *out);

/*
 * Most bytes that json_put_quoted() writes for a text of len bytes, and what it may write beyond
 * its result.
 */
#define JSON_QUOTED_MAX(len) ((size_t)(len)*6 + 2 + 16)

/*
 * json_quote() to memory with room for JSON_QUOTED_MAX(len). Returns the place behind the closing
 * quote.
 */
char *json_put_quoted(char *p, const char *bytes, size_t len);
