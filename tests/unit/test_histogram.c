// SPDX-License-Identifier: Apache-2.0
/* Histograms: JSON, how a column shows them, sums of rows, drawings, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/format.h"
#include "columns/histogram.h"
#include "columns/json.h"
#include "columns/types.h"

struct record {
	g_comm comm;
	g_port port;
	struct g_histogram queue, device;
	__u64 calls;
};

struct setup {
	struct schema *schema;
	struct selection selection;
	struct histogram_plan plan;
	struct histograms *histograms;
	struct record r;
};

#define AT(member, type_, kind_, ...)                                     \
	{                                                                 \
		.name = #member, .type = type_, .kind = kind_,            \
		.offset = offsetof(struct record, member),                \
		.size = sizeof(((struct record *)0)->member), __VA_ARGS__ \
	}

static void begin(struct setup *s, const char *choose)
{
	static const struct field fields[] = {
		AT(comm, "g_comm", KIND_CHARS, .flags = FIELD_KEY),
		AT(port, "g_port", KIND_UINT, .flags = FIELD_KEY),
		AT(queue, "g_histogram", KIND_NONE, 0),
		AT(queue.unit, "g_unit", KIND_UINT, 0),
		AT(queue.data, "g_log2", KIND_BYTES, 0),
		AT(device, "g_histogram", KIND_NONE, 0),
		AT(device.unit, "g_unit", KIND_UINT, 0),
		AT(device.data, "g_log2", KIND_BYTES, 0),
		AT(calls, "__u64", KIND_UINT, 0),
	};
	struct field_choice *choice;

	*s = (struct setup){.histograms = histograms_new()};
	s->schema = schema_new("gadget", "source", sizeof(s->r));
	assert_int_equal(schema_add_table(s->schema, fields, array_size(fields), NULL), 0);
	assert_int_equal(schema_finish(s->schema, NULL), 0);
	assert_int_equal(field_choice_new(choose, &choice, NULL), 0);
	field_choice_apply(choice, s->schema, &s->selection);
	field_choice_free(choice);
}

static void end(struct setup *s)
{
	histograms_free(s->histograms);
	histogram_plan_done(&s->plan);
	selection_done(&s->selection);
	schema_unref(s->schema);
}

static void plan(struct setup *s)
{
	assert_int_equal(histogram_plan_make(s->schema, &s->selection, &s->plan, NULL), 0);
}

static struct row row_of(const struct setup *s)
{
	return (struct row){.part = {&s->r}, .size = {sizeof(s->r)}};
}

static bool add(struct setup *s, const char *comm, g_port port)
{
	const struct row row = row_of(s);

	snprintf(s->r.comm, sizeof(s->r.comm), "%s", comm);
	s->r.port = port;
	return histograms_add(s->histograms, &s->plan, &row, NULL);
}

static void expect(const struct setup *s, unsigned int columns, const char *text)
{
	_cleanup_(buf_done) struct buf out = {.max = MAX_HELD_BYTES};

	histograms_draw(s->histograms, columns, &out);
	assert_string_equal(buf_cstr(&out), text);
}

static void sums(void **state)
{
	struct setup s;

	begin(&s, "comm,device");
	plan(&s);
	s.r.device.unit = G_UNIT_US;
	s.r.device.data[0] = 1;
	s.r.device.data[2] = 4;
	assert_true(add(&s, "b", 1));
	assert_true(add(&s, "b", 2)); /* the port is not shown, so it is the same */
	memset(s.r.device.data, 0, sizeof(s.r.device.data));
	assert_true(add(&s, "empty", 1));
	s.r.device.data[31] = UINT64_MAX;
	assert_true(add(&s, "a\n", 1));
	assert_true(add(&s, "a\n", 1));
	s.r.device.unit = 77; /* from a file, say */
	s.r.device.data[31] = 0;
	s.r.device.data[1] = 1;
	assert_true(add(&s, "c", 1));
	expect(&s, 46,
	       "comm=a\\n: device (us), 18446744073709551615 values\n"
	       "2147483648..4294967295 18446744073709551615 |**********|\n\n"
	       "comm=b: device (us), 10 values\n"
	       "                 0..1           2 |**        |\n"
	       "                 2..3           0 |          |\n"
	       "                 4..7           8 |**********|\n\n"
	       "comm=c: device, 1 value\n"
	       "                 2..3           1 |**********|\n\n");
	histograms_clear(s.histograms);
	expect(&s, 0, "");
	end(&s);
}

/* Two nodes, or two containers, in one: nothing but the histograms is shown. */
static void all_in_one(void **state)
{
	struct setup s;

	begin(&s, "queue,device");
	plan(&s);
	s.r.device.data[3] = s.r.queue.data[3] = 1;
	assert_true(add(&s, "a", 1));
	s.r.device.data[3] = 2;
	assert_true(add(&s, "b", 2));
	expect(&s, 46,
	       "device, 3 values\n"
	       "                8..15           3 |**********|\n\n"
	       "queue, 2 values\n"
	       "                8..15           2 |**********|\n\n");
	end(&s);
}

static void too_many(void **state)
{
	struct setup s;
	unsigned int n = 0;

	begin(&s, "comm,port,device");
	plan(&s);
	s.r.device.data[0] = 1;
	for (; n < 200000; n++) {
		char comm[16];

		snprintf(comm, sizeof(comm), "c%u", n);
		if (!add(&s, comm, 1))
			break;
	}
	assert_in_range(n, 50000, MAX_HISTOGRAM_BYTES / sizeof(g_log2));
	assert_int_equal(histograms_refused(s.histograms), 1);
	assert_true(add(&s, "c7", 1)); /* has its place */
	end(&s);
}

static void shown(void **state)
{
	_cleanup_(buf_done) struct buf json = {.max = MAX_HELD_BYTES};
	_cleanup_(buf_done) struct buf text = {.max = MAX_HELD_BYTES};
	struct json_plan *p;
	struct row row;
	struct setup s;

	begin(&s, "device,queue");
	s.r.device.unit = G_UNIT_US;
	s.r.device.data[0] = 1;
	s.r.device.data[2] = 8;
	s.r.queue.unit = G_UNIT_BYTES;
	row = row_of(&s);
	p = json_plan_new(s.schema, &s.selection, "", NULL);
	assert_true(json_plan_row(p, &row, false, &json));
	json_plan_free(p);
	assert_string_equal(buf_cstr(&json),
			    "{\"queue\":{\"unit\":\"bytes\",\"data\":[]},"
			    "\"device\":{\"unit\":\"us\",\"data\":["
			    "{\"count\":1,\"intervalStart\":0,\"intervalEnd\":1},"
			    "{\"count\":0,\"intervalStart\":2,\"intervalEnd\":3},"
			    "{\"count\":8,\"intervalStart\":4,\"intervalEnd\":7}]}}");
	field_text(schema_field(s.schema, "device"), &row, NULL, &text);
	buf_char(&text, ' ');
	field_text(schema_field(s.schema, "queue"), &row, NULL, &text);
	assert_string_equal(buf_cstr(&text), "9: 0us ▁ █ 7us 0");
	end(&s);
}

/* As a file may have it: the group is all there is. */
static void no_members(void **state)
{
	static const struct field group = {.name = "all",
					   .type = "g_histogram",
					   .kind = KIND_NONE,
					   .size = sizeof(struct g_histogram)};
	struct setup s = {.histograms = histograms_new()};
	const struct row row = {.part = {&s.r.queue}, .size = {sizeof(s.r.queue)}};
	struct field_choice *choice;

	s.schema = schema_new("gadget", "source", sizeof(s.r.queue));
	assert_int_equal(schema_add(s.schema, &group, NULL), 0);
	assert_int_equal(schema_finish(s.schema, NULL), 0);
	assert_int_equal(field_choice_new(NULL, &choice, NULL), 0);
	field_choice_apply(choice, s.schema, &s.selection);
	field_choice_free(choice);
	plan(&s);
	s.r.queue.unit = G_UNIT_MS;
	s.r.queue.data[0] = 1;
	assert_true(histograms_add(s.histograms, &s.plan, &row, NULL));
	expect(&s, 46,
	       "all (ms), 1 value\n"
	       "                 0..1           1 |**********|\n\n");
	end(&s);
}

static void nothing_to_draw(void **state)
{
	struct err err = {0};
	struct setup s;

	begin(&s, "comm,calls");
	assert_int_equal(histogram_plan_make(s.schema, &s.selection, &s.plan, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no histogram is shown of gadget"));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),	      cmocka_unit_test(all_in_one),
		cmocka_unit_test(too_many),   cmocka_unit_test(shown),
		cmocka_unit_test(no_members), cmocka_unit_test(nothing_to_draw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
