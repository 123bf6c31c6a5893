// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas from outside, and rows of them. An input is a schema's JSON, a NUL, and the bytes of a
 * record. A schema that is taken must be written and read again as the same; the record is shown
 * in all output modes, and its JSON must be JSON to another reader.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "columns/json.h"
#include "columns/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct schema *s)
{
	_cleanup_(buf_done) struct buf first = {.max = 64u << 20};
	_cleanup_(buf_done) struct buf second = {.max = 64u << 20};
	struct schema *copy = NULL;

	schema_to_json(s, &first);
	if (first.failed || schema_from_json(buf_cstr(&first), first.len, &copy, NULL))
		abort();
	schema_to_json(copy, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len))
		abort();
	schema_unref(copy);
}

static void check_json(const struct schema *s, const struct row *row)
{
	_cleanup_(buf_done) struct buf out = {.max = 64u << 20};
	struct json_plan *plan = json_plan_new(s, NULL, "", NULL);

	for (int again = 0; again < 2; again++) { /* the second time from what it remembers */
		json_t *j;

		buf_clear(&out);
		if (!json_plan_row(plan, row, false, &out))
			continue;
		j = json_loadb(out.data, out.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
		if (!j)
			abort();
		json_decref(j);
	}
	json_plan_free(plan);
}

static void show(struct schema *s, const struct row *row)
{
	static const char *const outputs[] = {"columns", "json", "jsonpretty", "yaml"};
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < array_size(outputs); i++) {
		struct view_options o = {
			.output = outputs[i], .fd = fd, .err_fd = -1, .columns = 80};
		unsigned int source;
		struct view *v;

		if (view_new(&o, &v, NULL))
			abort();
		if (view_add(v, s, VIEW_TABLE_ONCE, &source, NULL) || view_start(v, NULL))
			abort();
		view_row(v, source, row, false);
		view_table_end(v, source);
		view_flush(v);
		view_free(v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	size_t json_len = end ? (size_t)(end - data) : size;
	struct schema *s = NULL;
	struct err err = {0};
	struct row row = {0};
	unsigned char *record;

	if (schema_from_json((const char *)data, json_len, &s, &err)) {
		if (!err.text[0])
			abort(); /* an error that says nothing */
		return 0;
	}
	check_round_trip(s);
	size -= end ? json_len + 1 : json_len;
	record = malloc(size); /* exactly as long as it is, so that reading beyond it is seen */
	if (size && record)
		memcpy(record, end + 1, size);
	row.part[PART_RECORD] = record;
	row.size[PART_RECORD] = (uint32_t)size;
	check_json(s, &row);
	show(s, &row);
	free(record);
	schema_unref(s);
	return 0;
}
