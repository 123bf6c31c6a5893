// SPDX-License-Identifier: Apache-2.0
/* The flight recorder: whose rings, how much memory, and what a dump has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/types.h"
#include "recorder/file.h"
#include "recorder/flight.h"

struct event {
	g_time time;
	g_container container;
	uint64_t number;
	char filling[200];
};

static const struct field fields[] = {
	{.name = "timestamp",
	 .type = "g_time",
	 .kind = KIND_UINT,
	 .offset = 0,
	 .size = 8,
	 .parent = -1},
	{.name = "container_key",
	 .type = "g_container",
	 .kind = KIND_UINT,
	 .offset = 8,
	 .size = 8,
	 .parent = -1,
	 .flags = FIELD_INTERNAL},
	{.name = "number", .kind = KIND_UINT, .offset = 16, .size = 8, .parent = -1},
};

struct lab {
	struct flight *flight;
	struct gadget_source sources[2];
	char said[4096];
};

static void on_said(void *ctx, const char *text)
{
	struct lab *l = ctx;
	size_t len = strlen(l->said);

	snprintf(l->said + len, sizeof(l->said) - len, "%s\n", text);
}

static void start(struct lab *l, size_t per_container, size_t budget, size_t floor)
{
	static const char *const names[] = {"one", "two"};
	const struct flight_options o = {per_container, budget, floor, on_said, l};

	*l = (struct lab){0};
	assert_int_equal(flight_new(&o, &l->flight, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		struct schema *s = schema_new("test", names[i], sizeof(struct event));

		assert_int_equal(schema_add_table(s, fields, array_size(fields), NULL), 0);
		assert_int_equal(container_add_fields(s, NULL), 0);
		assert_int_equal(schema_finish(s, NULL), 0);
		l->sources[i] = (struct gadget_source){
			.kind = SOURCE_TRACER, .name = names[i], .schema = s};
		flight_source(l->flight, &l->sources[i]);
	}
}

static void end(struct lab *l)
{
	flight_free(l->flight);
	for (size_t i = 0; i < 2; i++)
		schema_unref(l->sources[i].schema);
}

static struct container *container(uint32_t slot, uint64_t life)
{
	struct container *c = container_new();

	c->key = life << 32 | slot;
	c->name = xasprintf("c%u-%u", slot, (unsigned int)life);
	c->id = xstrdup(c->name);
	return c;
}

static void push(struct lab *l, unsigned int source, const struct container *c, uint64_t time,
		 uint64_t number)
{
	const struct event e = {.time = time, .container = c ? c->key : 0, .number = number};
	const struct row row = {
		.part = {[PART_RECORD] = &e, [PART_CONTAINER] = c},
		.size = {[PART_RECORD] = sizeof(e), [PART_CONTAINER] = c ? sizeof(*c) : 0},
	};

	flight_row(l->flight, source, &row);
}

static struct flight_facts facts(const struct lab *l, const struct container *c)
{
	struct flight_ring *r = flight_find(l->flight, c ? c->key : 0);
	struct flight_facts f;

	assert_non_null(r);
	flight_facts(r, &f);
	assert_int_equal(f.last, f.kept + f.overwritten + f.lost);
	return f;
}

static void test_each_has_its_own(void **state)
{
	struct container *a = container(1, 1), *b = container(2, 1);
	struct lab l;

	start(&l, 16384, 0, 0);
	push(&l, 0, b, 1, 1);
	for (uint64_t i = 1; i <= 10000; i++)
		push(&l, i % 2, a, i, i);
	flight_lost(l.flight, 0, a, 7);
	push(&l, 0, NULL, 1, 1); /* the host's */
	assert_int_equal(facts(&l, a).last, 10007);
	assert_int_equal(facts(&l, a).lost, 7);
	assert_in_range(facts(&l, a).kept, 10, 100);
	assert_int_equal(facts(&l, a).newest, 10000);
	assert_int_equal(facts(&l, a).bytes, 16384);
	assert_int_equal(facts(&l, b).kept, 1); /* a's flood is a's affair */
	assert_int_equal(facts(&l, b).overwritten, 0);
	assert_int_equal(facts(&l, NULL).kept, 1);
	assert_string_equal(l.said, "");
	end(&l);
	container_unref(a);
	container_unref(b);
}

/* What ended first goes first; then all are halved; a new one comes in all the same. */
static void test_budget(void **state)
{
	struct container *c[40];
	struct lab l;

	start(&l, 65536, 4 * 65536, 4096);
	for (uint32_t i = 0; i < 4; i++) {
		c[i] = container(i + 1, 1);
		for (uint64_t n = 0; n < 400; n++)
			push(&l, 0, c[i], n, n);
	}
	assert_int_equal(flight_bytes(l.flight), 4 * 65536);
	flight_ended(l.flight, c[2]);
	flight_ended(l.flight, c[0]);
	assert_true(facts(&l, c[0]).ended);
	c[4] = container(5, 1);
	push(&l, 0, c[4], 1, 1);
	assert_null(flight_find(l.flight, c[2]->key));
	assert_non_null(flight_find(l.flight, c[0]->key));
	assert_non_null(strstr(l.said, "c3-1"));
	for (uint32_t i = 5; i < 40; i++) {
		c[i] = container(i + 1, 1);
		for (uint64_t n = 0; n < 400; n++)
			push(&l, 0, c[i], n, n);
		assert_true(facts(&l, c[i]).kept > 0);
		assert_int_equal(facts(&l, c[i]).newest, 399);
	}
	assert_null(flight_find(l.flight, c[0]->key));
	assert_non_null(strstr(l.said, "32768 bytes from here on"));
	assert_int_equal(flight_bound(l.flight), 4096);
	assert_true(flight_bytes(l.flight) <= 4 * 65536);
	assert_true(facts(&l, c[1]).kept > 0);
	end(&l);
	for (uint32_t i = 0; i < 40; i++)
		container_unref(c[i]);
}

static void fill(struct lab *l, const struct container *c)
{
	for (uint64_t n = 0; n < 400; n++)
		push(l, 0, c, n, n);
}

/* Lines that were said, which are then forgotten. */
static void assert_said(struct lab *l, const char *expected)
{
	assert_string_equal(l->said, expected);
	*l->said = '\0';
}

#define OVER "over the budget of 65536 bytes"

/* One step after the other down to the floor, each said once; and up again when they are gone. */
static void test_each_step_is_said(void **state)
{
	struct container *c[20];
	struct lab l;

	start(&l, 32768, 65536, 8192);
	for (uint32_t i = 0; i < 20; i++) {
		c[i] = container(i + 1, 1);
		if (i < 2) {
			fill(&l, c[i]);
			assert_said(&l, "");
		}
	}
	fill(&l, c[2]);
	assert_said(&l, OVER ": each container has 16384 bytes from here on\n");
	fill(&l, c[3]);
	assert_int_equal(flight_bytes(l.flight), 65536);
	fill(&l, c[4]);
	assert_said(&l, OVER ": each container has 8192 bytes from here on\n");
	for (uint32_t i = 5; i < 20; i++)
		fill(&l, c[i]);
	assert_said(&l, OVER ", with the least of 8192 bytes for each container\n");
	for (uint32_t i = 0; i < 20; i++) {
		assert_true(facts(&l, c[i]).kept > 10);
		assert_int_equal(facts(&l, c[i]).bytes, 8192);
	}
	for (uint32_t i = 0; i < 16; i++)
		flight_ended(l.flight, c[i]);
	assert_said(&l, "below the budget of 65536 bytes: each container has 16384 bytes from here "
			"on\n");
	fill(&l, c[16]); /* its ring grows at the cost of those that ended, the first one first */
	assert_null(flight_find(l.flight, c[0]->key));
	assert_int_equal(flight_bound(l.flight), 16384);
	assert_true(flight_bytes(l.flight) <= 65536);
	assert_non_null(flight_find(l.flight, c[15]->key));
	end(&l);
	for (uint32_t i = 0; i < 20; i++)
		container_unref(c[i]);
}

/* A slot that has another container: both rings are there. */
static void test_a_slot_again(void **state)
{
	struct container *a = container(3, 1), *b = container(3, 2);
	struct lab l;

	start(&l, 0, 0, 0);
	push(&l, 0, a, 1, 1);
	flight_ended(l.flight, a);
	push(&l, 0, b, 2, 2);
	push(&l, 0, a, 3, 3); /* late */
	assert_int_equal(facts(&l, a).kept, 2);
	assert_int_equal(facts(&l, b).kept, 1);
	flight_close(l.flight, flight_find(l.flight, a->key));
	assert_null(flight_find(l.flight, a->key));
	assert_int_equal(facts(&l, b).kept, 1);
	end(&l);
	container_unref(a);
	container_unref(b);
}

static void test_a_dump_is_in_order(void **state)
{
	static const uint64_t times[] = {10, 30, 20, 50, 40, 40};
	const struct clock_base clock = {0};
	struct container *c = container(1, 1);
	struct record_reader *reader;
	struct record_event e;
	uint64_t last = 0, rows = 0, seen = 0, numbers = 0;
	struct record_ring ring = {0};
	struct lab l;
	int item, fd = memfd_create("dump", MFD_CLOEXEC);
	struct err err = {0};

	start(&l, 0, 0, 0);
	for (size_t i = 0; i < array_size(times); i++)
		push(&l, i % 2, c, times[i], i);
	flight_lost(l.flight, 1, c, 3);
	assert_int_equal(
		flight_write(l.flight, flight_find(l.flight, c->key), dup(fd), &clock, &err), 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(record_reader_open(fd, &reader, &err), 0);
	while ((item = record_reader_next(reader, &e, &err)) > 0) {
		if (item == RECORD_ROW) {
			const struct event *event = e.row.part[PART_RECORD];

			assert_true(event->time >= last);
			assert_string_equal(e.container->name, "c1-1");
			assert_in_range(e.sequence, 1, array_size(times));
			numbers |= 1u << e.sequence;
			last = event->time;
			rows++;
		}
		if (item == RECORD_TOTALS)
			seen += e.totals.seen;
		if (item == RECORD_RING)
			ring = e.ring;
	}
	assert_int_equal(item, 0);
	assert_int_equal(rows, array_size(times));
	assert_int_equal(numbers, 0x7e); /* each once */
	assert_int_equal(ring.last, array_size(times) + 3);
	assert_int_equal(ring.kept, array_size(times));
	assert_int_equal(ring.lost, 3);
	assert_int_equal(seen, array_size(times) + 3);
	record_reader_free(reader);
	end(&l);
	container_unref(c);
}

/* Where most is overwritten, the dump has the newest, without a gap but for what was lost. */
static void test_a_dump_is_contiguous(void **state)
{
	const struct clock_base clock = {0};
	struct container *c = container(1, 1);
	int item, fd = memfd_create("dump", MFD_CLOEXEC);
	struct record_reader *reader;
	struct record_event e;
	struct record_ring ring = {0};
	uint64_t first = 0, rows = 0;
	struct lab l;

	start(&l, 16384, 0, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		push(&l, i % 2, c, i, i);
	flight_lost(l.flight, 1, c, 3);
	push(&l, 0, c, 1001, 1001);
	flight_write(l.flight, flight_find(l.flight, c->key), dup(fd), &clock, NULL);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(record_reader_open(fd, &reader, NULL), 0);
	while ((item = record_reader_next(reader, &e, NULL)) > 0) {
		if (item == RECORD_RING)
			ring = e.ring;
		if (item != RECORD_ROW)
			continue;
		first = first ?: e.sequence;
		rows++;
		assert_int_equal(e.sequence, first + rows - 1 + (first + rows > 1001 ? 3 : 0));
	}
	assert_int_equal(item, 0);
	assert_int_equal(ring.last, 1004);
	assert_int_equal(ring.kept, rows);
	assert_int_equal(ring.lost, 3);
	assert_int_equal(ring.overwritten, first - 1);
	assert_int_equal(ring.kept + ring.overwritten + ring.lost, ring.last);
	record_reader_free(reader);
	end(&l);
	container_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_each_step_is_said),
		cmocka_unit_test(test_a_slot_again),
		cmocka_unit_test(test_a_dump_is_in_order),
		cmocka_unit_test(test_a_dump_is_contiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
