// SPDX-License-Identifier: Apache-2.0
/*
 * Schemas: building, refusing, ordering, finding, reading rows with hostile places, JSON and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/format.h"
#include "open_row.h"

static void expect_refused(struct field f, int result, const char *why)
{
	struct schema *s = schema_new(NULL, "test", 16);
	struct err err = {0};

	assert_int_equal(
		schema_add(s, &(struct field){.name = "there", .kind = KIND_UINT, .size = 4}, NULL),
		0);
	assert_int_equal(schema_add(s, &f, &err), result);
	assert_non_null(strstr(err.text, why));
	schema_unref(s);
}

static void malformed_fields(void **state)
{
	expect_refused((struct field){.name = "a", .kind = KIND_UINT, .size = 3}, -EINVAL,
		       "malformed");
	expect_refused((struct field){.name = "a", .kind = KIND_UINT, .offset = 16, .size = 1},
		       -EINVAL, "outside");
	expect_refused(
		(struct field){.name = "a", .kind = KIND_UINT, .offset = UINT32_MAX, .size = 4},
		-EINVAL, "malformed");
	expect_refused((struct field){.name = "a", .kind = KIND_TEXT, .size = 4}, -EINVAL,
		       "malformed");
	expect_refused((struct field){.name = "a", .kind = KIND_CHARS, .size = 0}, -EINVAL,
		       "malformed");
	expect_refused((struct field){.name = "a", .kind = 99, .size = 4}, -EINVAL, "malformed");
	expect_refused((struct field){.name = "a", .kind = KIND_LABELS, .size = 8}, -EINVAL,
		       "malformed");
	expect_refused((struct field){.name = "a.b",
				      .kind = KIND_LABEL,
				      .size = sizeof(struct labels),
				      .label = "b"},
		       -EINVAL, "malformed");
	expect_refused((struct field){.name = "a", .kind = KIND_UINT, .size = 4, .part = ROW_PARTS},
		       -EINVAL, "malformed");
	expect_refused((struct field){.name = "there", .kind = KIND_UINT, .size = 4}, -EEXIST,
		       "two fields");
	expect_refused((struct field){.name = "there.below", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "not a group");
	expect_refused((struct field){.name = "a..b", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "empty part");
	expect_refused((struct field){.name = ".a", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "empty part");
	expect_refused((struct field){.name = "a.", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "empty part");
	expect_refused((struct field){.name = "", .kind = KIND_UINT, .size = 4}, -EINVAL, "empty");
	expect_refused((struct field){.name = "a\033b", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "character");
	expect_refused((struct field){.name = "a,b", .kind = KIND_UINT, .size = 4}, -EINVAL,
		       "character");
	expect_refused((struct field){.name = "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q",
				      .kind = KIND_UINT,
				      .size = 4},
		       -E2BIG, "nested");
}

static void number_of_fields_is_limited(void **state)
{
	struct schema *s = schema_new(NULL, "test", 8);
	char name[32];
	int r = 0, n = 0;

	for (; !r; n++) {
		snprintf(name, sizeof(name), "group%d.field", n); /* two fields each */
		r = schema_add(s, &(struct field){.name = name, .kind = KIND_UINT, .size = 8},
			       NULL);
	}
	assert_int_equal(r, -E2BIG);
	assert_true(s->n_fields <= MAX_FIELDS);
	assert_int_equal(schema_finish(s, NULL), 0);
	schema_unref(s);

	s = schema_new(NULL, "empty", 8);
	assert_int_equal(schema_finish(s, NULL), -EINVAL);
	schema_unref(s);
}

static void order_and_defaults(void **state)
{
	struct schema *s = open_schema();
	const struct field *f;

	/* the container's fields first, each group before its members and unbroken */
	assert_string_equal(s->fields[0].name, "runtime");
	assert_string_equal(s->fields[1].name, "runtime.containerName");
	for (size_t i = 0; i < s->n_fields; i++) {
		const char *name = s->fields[i].name;
		int16_t parent = s->fields[i].parent;

		assert_non_null(s->fields[i].format);
		if (strchr(name, '.'))
			assert_int_equal(strncmp(name, s->fields[parent].name,
						 strlen(s->fields[parent].name)),
					 0);
		else
			assert_int_equal(parent, -1);
	}
	assert_string_equal(s->fields[s->time_field].name, "timestamp");
	assert_string_equal(s->fields[s->container_field].name, "container");
	f = schema_field(s, "container");
	assert_true(f->flags & FIELD_INTERNAL);
	f = schema_field(s, "proc.parent.comm"); /* hidden because its group is */
	assert_true(f->flags & FIELD_HIDDEN);
	f = schema_field(s, "proc.pid");
	assert_true(f->flags & FIELD_RIGHT);
	schema_unref(s);
}

static void members_come_together(void **state)
{
	static const struct field fields[] = {
		{.name = "a.x", .kind = KIND_UINT, .size = 4},
		{.name = "b", .kind = KIND_UINT, .size = 4},
		{.name = "a.y", .kind = KIND_UINT, .size = 4},
	};
	static const char *const order[] = {"c", "c.z", "a", "a.x", "a.y", "b"};
	struct schema *s = schema_new(NULL, "test", 8);

	assert_int_equal(schema_add_table(s, fields, array_size(fields), NULL), 0);
	assert_int_equal(schema_finish(s, NULL), 0);
	/* a container's fields are added later, and the schema is finished again */
	assert_int_equal(
		schema_add(s,
			   &(struct field){.name = "c.z", .part = 1, .kind = KIND_CSTR, .size = 8},
			   NULL),
		0);
	assert_int_equal(schema_finish(s, NULL), 0);
	for (size_t i = 0; i < array_size(order); i++)
		assert_string_equal(s->fields[i].name, order[i]);
	assert_int_equal(s->fields[schema_field(s, "a.y")->parent].parent, -1);
	schema_unref(s);
}

static void expect_found(const struct schema *s, const char *name, const char *path,
			 const char *message)
{
	struct err err = {0};
	const struct field *f = schema_require(s, name, &err);

	if (path) {
		assert_non_null(f);
		assert_string_equal(f->name, path);
	} else {
		assert_null(f);
		assert_int_equal(err.code, -ENOENT);
		assert_string_equal(err.text, message);
	}
}

static void finding(void **state)
{
	struct schema *s = open_schema();

	expect_found(s, "proc.pid", "proc.pid", NULL);
	expect_found(s, "pid", "proc.pid", NULL); /* less deep than proc.parent.pid */
	expect_found(s, "parent.pid", "proc.parent.pid", NULL);
	expect_found(s, "containername", "runtime.containerName", NULL);
	expect_found(s, "proc", "proc", NULL);
	expect_found(s, "proc.pdi", NULL, "no field 'proc.pdi'; did you mean 'proc.pid'?");
	expect_found(s, "paht", NULL, "no field 'paht'; did you mean 'path'?");
	expect_found(s, "comn", NULL, "no field 'comn'; did you mean 'comm'?");
	expect_found(s, "blockdevice", NULL, "no field 'blockdevice'");
	expect_found(s, "container", NULL,
		     "no field 'container'; did you mean 'containerId'?"); /* internal */
	schema_unref(s);
}

static void expect_label(const struct schema *s, const char *name, const char *path,
			 const char *key, const char *message)
{
	struct err err = {0};
	const char *got = "untouched";
	const struct field *f = schema_require_or_label(s, name, &got, &err);

	if (!path) {
		assert_null(f);
		assert_int_equal(err.code, -ENOENT);
		assert_string_equal(err.text, message);
		assert_string_equal(got, "untouched");
		return;
	}
	assert_non_null(f);
	assert_string_equal(f->name, path);
	if (key)
		assert_string_equal(got, key);
	else
		assert_null(got);
}

static void finding_labels(void **state)
{
	struct schema *s = open_schema();
	char *long_key = xasprintf("podLabels.%0600d", 1), *many_dots = xcalloc(1, 60001);

	expect_label(s, "proc.pid", "proc.pid", NULL, NULL);
	expect_label(s, "pid", "proc.pid", NULL, NULL);
	expect_label(s, "k8s.podLabels", "k8s.podLabels", NULL, NULL);
	expect_label(s, "k8s.podLabels.app", "k8s.podLabels", "app", NULL);
	expect_label(s, "podlabels.app.kubernetes.io/name", "k8s.podLabels",
		     "app.kubernetes.io/name", NULL);
	expect_label(s, "podLabels..", "k8s.podLabels", ".", NULL);
	expect_label(s, "podLabels.k8s.podLabels.app", "k8s.podLabels", "k8s.podLabels.app", NULL);
	expect_label(s, "k8s.podLabels.", NULL, NULL,
		     "no field 'k8s.podLabels.'; did you mean 'k8s.podLabels'?");
	expect_label(s, "k8s.podLables.app.x", NULL, NULL,
		     "no field 'k8s.podLables.app.x'; did you mean 'k8s.podLabels.app.x'?");
	expect_label(s, "podLabel.app", NULL, NULL,
		     "no field 'podLabel.app'; did you mean 'podLabels.app'?");
	expect_label(s, "proc.pid.app", NULL, NULL,
		     "no field 'proc.pid.app'; did you mean 'proc.pid'?");
	expect_label(s, long_key, NULL, NULL, "a label's key has at most 512 bytes, not 600");
	memset(many_dots, '.', 60000);
	assert_null(schema_require_or_label(s, many_dots, (const char *[]){NULL}, NULL));
	schema_unref(s);
	free(long_key);
	free(many_dots);
}

static void labels_of_two_sets(void **state)
{
	struct schema *s = schema_new(NULL, "test", 8);
	static const struct field sets[] = {
		{.name = "a.b", .kind = KIND_LABELS, .part = 1, .size = sizeof(struct labels)},
		{.name = "b.a.b", .kind = KIND_LABELS, .part = 1, .size = sizeof(struct labels)},
		{.name = "c.labels", .kind = KIND_LABELS, .part = 1, .size = sizeof(struct labels)},
		{.name = "d.labels", .kind = KIND_LABELS, .part = 1, .size = sizeof(struct labels)},
	};

	assert_int_equal(schema_add_table(s, sets, array_size(sets), NULL), 0);
	assert_int_equal(schema_finish(s, NULL), 0);
	expect_label(s, "b.a.b.c", "b.a.b", "c", NULL); /* the longest, not b's label a.b.c */
	expect_label(s, "a.b.c", "a.b", "c", NULL);
	expect_label(s, "b.c", "a.b", "c", NULL);
	expect_label(s, "labels.x", NULL, NULL, "'labels.x' may be 'c.labels' or 'd.labels'");
	schema_unref(s);
}

static void names_of_two_fields(void **state)
{
	struct schema *s = schema_new(NULL, "test", 8);

	schema_add(s, &(struct field){.name = "a.name", .kind = KIND_UINT, .size = 4}, NULL);
	schema_add(s, &(struct field){.name = "b.name", .kind = KIND_UINT, .size = 4}, NULL);
	schema_add(s,
		   &(struct field){
			   .name = "c.no", .kind = KIND_UINT, .size = 4, .flags = FIELD_HIDDEN},
		   NULL);
	schema_add(s, &(struct field){.name = "d.no", .kind = KIND_UINT, .size = 4}, NULL);
	schema_finish(s, NULL);
	expect_found(s, "name", NULL, "'name' may be 'a.name' or 'b.name'");
	expect_found(s, "b.name", "b.name", NULL);
	expect_found(s, "no", "d.no", NULL); /* the one that is shown */
	expect_found(s, "c.no", "c.no", NULL);
	schema_unref(s);
}

static void rows_with_hostile_places(void **state)
{
	struct schema *s = open_schema();
	const struct field *path = schema_field(s, "path"), *pid = schema_field(s, "proc.pid");
	struct open_record r;
	struct row row;
	const char *text;
	bool truncated;
	int64_t number;
	size_t len;

	open_fill(&r);
	row = open_row(&r, NULL);
	assert_true(row_text(&row, path, &text, &len, &truncated));
	assert_int_equal(len, strlen("/usr/lib/x86_64-linux-gnu/libc.so.6"));
	assert_false(truncated);

	static const g_text places[] = {
		{.offset = UINT32_MAX, .length = 1},
		{.offset = 0, .length = 0x7fffffff},
		{.offset = 0xffffff00, .length = 0x7fffffff},
		{.offset = sizeof(struct open_event), .length = 1000},
	};
	for (size_t i = 0; i < array_size(places); i++) {
		r.event.path = places[i];
		assert_false(row_text(&row, path, &text, &len, &truncated));
	}
	r.event.path = (g_text){.offset = row.size[0], .length = G_TRUNCATED};
	assert_true(row_text(&row, path, &text, &len, &truncated));
	assert_int_equal(len, 0);
	assert_true(truncated);

	row.size[0] = pid->offset + 3; /* a record that ends within a field */
	assert_false(row_number(&row, pid, &number));
	assert_false(row_has(&row, pid));
	row.size[0] = pid->offset + 4;
	assert_true(row_number(&row, pid, &number));
	assert_int_equal(number, 1234);
	assert_false(row_has(&row, schema_field(s, "runtime.containerName"))); /* no such part */
	assert_true(row_time(s, &row) == 1000000000123456789u);
	schema_unref(s);
}

static void numbers_of_all_sizes(void **state)
{
	static const unsigned char bytes[8] = {0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80};
	struct row row = {.part = {bytes}, .size = {8}};
	static const struct {
		enum kind kind;
		uint32_t offset, size;
		int64_t value;
	} cases[] = {
		{KIND_UINT, 0, 1, 0xff},       {KIND_INT, 0, 1, -1}, {KIND_UINT, 1, 2, 0xfffe},
		{KIND_INT, 1, 2, -2}, /* unaligned */
		{KIND_UINT, 1, 4, 0xfffffffe}, {KIND_INT, 1, 4, -2}, {KIND_BOOL, 0, 1, 0xff},
	};
	int64_t value;

	for (size_t i = 0; i < array_size(cases); i++) {
		struct field f = {
			.kind = cases[i].kind, .offset = cases[i].offset, .size = cases[i].size};

		assert_true(row_number(&row, &f, &value));
		assert_true(value == cases[i].value);
	}
}

static void json_and_back(void **state)
{
	static const struct enum_value values[] = {{"RED", 1}, {"say \"blue\"", -2}};
	struct schema *s = open_schema(), *copy;
	struct buf json, again;
	struct err err = {0};

	s = schema_unref(s);
	s = schema_new("trace_open", "open", 64);
	schema_add(s,
		   &(struct field){.name = "hue",
				   .kind = KIND_INT,
				   .size = 4,
				   .type = "enum colour",
				   .doc = "é \n",
				   .enum_values = values,
				   .n_enum_values = 2,
				   .width = 7,
				   .flags = FIELD_HIDDEN,
				   .ellipsis = ELLIPSIS_MIDDLE},
		   NULL);
	schema_add(s,
		   &(struct field){.name = "proc.comm",
				   .kind = KIND_CHARS,
				   .offset = 8,
				   .size = 16,
				   .type = "g_comm"},
		   NULL);
	schema_add(s,
		   &(struct field){.name = "runtime.name", .kind = KIND_CSTR, .part = 1, .size = 8},
		   NULL);
	schema_add(s,
		   &(struct field){.name = "labels",
				   .kind = KIND_LABELS,
				   .offset = 32,
				   .size = sizeof(struct labels)},
		   NULL);
	schema_finish(s, NULL);

	buf_init(&json, 65536);
	buf_init(&again, 65536);
	schema_to_json(s, &json);
	assert_int_equal(schema_from_json(json.data, json.len, &copy, &err), 0);
	assert_null(schema_field(copy, "runtime.name")); /* pointers do not travel */
	assert_null(schema_field(copy, "labels"));
	assert_string_equal(copy->gadget, "trace_open");
	assert_string_equal(schema_field(copy, "hue")->enum_values[1].name, "say \"blue\"");
	assert_int_equal(schema_field(copy, "hue")->enum_values[1].value, -2);
	assert_int_equal(schema_field(copy, "hue")->ellipsis, ELLIPSIS_MIDDLE);
	assert_ptr_equal(schema_field(copy, "proc.comm")->format,
			 schema_field(s, "proc.comm")->format);
	schema_to_json(copy, &again);
	assert_string_equal(buf_cstr(&json), buf_cstr(&again));
	schema_unref(copy);
	schema_unref(s);
	buf_done(&json);
	buf_done(&again);
}

static void broken_json(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{}]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[7]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{\"name\":\"x\",\"kind\":\"uint\","
		"\"offset\":8,\"size\":4}]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{\"name\":\"x\",\"kind\":\"pointer\","
		"\"size\":8}]}",
		"{\"name\":\"a\",\"size\":64,\"fields\":[{\"name\":\"x\",\"kind\":\"labels\","
		"\"size\":24}]}",
		"{\"name\":\"a\",\"size\":99999999,\"fields\":[{\"name\":\"x\",\"kind\":\"uint\","
		"\"size\":4}]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{\"name\":\"x\",\"kind\":\"uint\",\"size\":"
		"-4}]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{\"name\":\"x\",\"kind\":\"uint\",\"size\":"
		"4,\"enum\":[[1,2]]}]}",
		"{\"name\":\"a\",\"size\":8,\"fields\":[{\"name\":\"x\",\"kind\":\"uint\",\"size\":"
		"4},{\"name\":\"x\",\"kind\":\"uint\",\"size\":4}]}",
	};
	struct schema *s = NULL;

	for (size_t i = 0; i < array_size(texts); i++) {
		struct err err = {0};

		if (schema_from_json(texts[i], strlen(texts[i]), &s, &err) >= 0 || !err.text[0])
			fail_msg("taken: %s", texts[i]);
	}
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_fields),
		cmocka_unit_test(number_of_fields_is_limited),
		cmocka_unit_test(order_and_defaults),
		cmocka_unit_test(members_come_together),
		cmocka_unit_test(finding),
		cmocka_unit_test(finding_labels),
		cmocka_unit_test(labels_of_two_sets),
		cmocka_unit_test(names_of_two_fields),
		cmocka_unit_test(rows_with_hostile_places),
		cmocka_unit_test(numbers_of_all_sizes),
		cmocka_unit_test(json_and_back),
		cmocka_unit_test(broken_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
