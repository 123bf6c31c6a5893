// SPDX-License-Identifier: Apache-2.0
/* Reading a ring of traceloop: laps, what is overwritten while it is read, torn records, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop_writer.h"
#include "traceloop/dump.h"

#define LANE 16384u

static const uint64_t args[LOOP_ARGS] = {1, 2, 3, 4, 5, 6};
static char text[LOOP_TEXT];

/* The i-th record of a history in which sizes differ; its time is i. */
static void write_one(struct writer *w, uint32_t i)
{
	if (i % 2) {
		writer_exit(w, 0, 7, i, i);
	} else {
		writer_enter(w, 1, 7, i, args, i % (LOOP_ARGS + 1));
		if (i % 3 == 0)
			writer_part(w, 1, text, i * 37 % LOOP_TEXT, LOOP_TEXT);
	}
	writer_end(w);
}

static void check(const struct lane_copy *c, uint64_t written)
{
	assert_int_equal(c->counts.kept, c->n);
	assert_int_equal(c->counts.kept + c->counts.overwritten, written);
	for (size_t i = 0; i < c->n; i++)
		assert_int_equal(c->records[i]->time, written - c->n + i);
}

/* After each record all is there that no later one took the place of, but for a record's length. */
static void test_every_length(void **state)
{
	struct writer w;
	size_t least = LANE;

	writer_init(&w, LANE);
	for (uint32_t i = 0; i < 2000; i++) {
		struct lane_copy c;
		size_t bytes = 0;

		write_one(&w, i);
		lane_copy(w.lane, LANE, &c);
		check(&c, i + 1);
		for (size_t k = 0; k < c.n; k++)
			bytes += c.records[k]->size;
		if (c.counts.overwritten && bytes < least)
			least = bytes;
		if (!w.lane->last_end)
			assert_int_equal(c.n, i + 1); /* nothing was overwritten yet */
		lane_copy_done(&c);
	}
	assert_true(least >= LANE - 2 * LOOP_RECORD);
	writer_done(&w);
}

static void test_empty(void **state)
{
	struct lane_copy c;
	struct writer w;

	writer_init(&w, LANE);
	w.lane->lost = 3;
	lane_copy(w.lane, LANE, &c);
	check(&c, 0);
	assert_int_equal(c.counts.lost, 3);
	lane_copy_done(&c);
	writer_done(&w);
}

/* A record that is being written has overwritten old ones already, and is not there yet. */
static void test_one_in_flight(void **state)
{
	struct lane_copy c;
	struct writer w;

	writer_init(&w, LANE);
	for (uint32_t i = 0; i < 1000; i++)
		write_one(&w, i);
	memset((char *)(w.lane + 1) + (uint32_t)w.lane->end, 0xa5, LOOP_RECORD);
	lane_copy(w.lane, LANE, &c);
	check(&c, 1000);
	assert_true(c.n > 50);
	lane_copy_done(&c);
	writer_done(&w);
}

/* One that is not whole ends what is kept: what is older than it cannot be reached. */
static void test_torn(void **state)
{
	struct lane_copy whole, torn;
	struct loop_record *r;
	struct writer w;
	size_t at;

	writer_init(&w, LANE);
	for (uint32_t i = 0; i < 1000; i++)
		write_one(&w, i);
	lane_copy(w.lane, LANE, &whole);
	at = (size_t)((const unsigned char *)whole.records[whole.n - 10] - whole.bytes);
	r = (void *)((char *)(w.lane + 1) + at);
	r->seq++;
	lane_copy(w.lane, LANE, &torn);
	assert_int_equal(torn.n, 9);
	check(&torn, 1000);
	lane_copy_done(&whole);
	lane_copy_done(&torn);
	writer_done(&w);
}

static void test_garbage(void **state)
{
	struct lane_copy c;
	struct writer w;

	writer_init(&w, LANE);
	for (unsigned int seed = 1; seed < 200; seed++) {
		unsigned char *bytes = (void *)w.lane;

		srand(seed);
		for (size_t i = 0; i < sizeof(struct loop_lane) + LANE + LOOP_RECORD; i++)
			bytes[i] = (unsigned char)rand();
		if (seed % 2)
			w.lane->end = (uint64_t)seed << 32 | (seed * 8 % LANE);
		lane_copy(w.lane, LANE, &c);
		assert_true(c.n <= 1);
		lane_copy_done(&c);
	}
	writer_done(&w);
}

static void test_seq_wraps(void **state)
{
	struct lane_copy c;
	struct writer w;

	writer_init(&w, LANE);
	w.lane->seq = 0xfffffff0;
	for (uint32_t i = 0; i < 32; i++)
		write_one(&w, i);
	lane_copy(w.lane, LANE, &c);
	assert_int_equal(c.n, 32);
	assert_int_equal(c.counts.kept + c.counts.overwritten, 0xfffffff0ull + 32);
	lane_copy_done(&c);
	writer_done(&w);
}

/* ---- two lanes ------------------------------------------------------------------- */

static void write_call(struct writer *on_enter, struct writer *on_exit, uint32_t tid, uint64_t from,
		       uint64_t to)
{
	writer_enter(on_enter, syscall_number("close"), tid, from, args, 1);
	writer_end(on_enter);
	if (!to)
		return;
	writer_exit(on_exit, syscall_number("close"), tid, to, 0);
	writer_end(on_exit);
}

static void test_join(void **state)
{
	struct lane_copy lanes[2];
	struct loop_dump d;
	struct writer w[2];

	writer_init(&w[0], LANE);
	writer_init(&w[1], LANE);
	writer_exit(&w[0], 0, 5, 1, 0); /* its entry was overwritten */
	writer_end(&w[0]);
	write_call(&w[0], &w[1], 7, 10, 20); /* goes on on another CPU */
	write_call(&w[0], &w[0], 8, 15, 30); /* and this comes between */
	write_call(&w[1], NULL, 9, 40, 0);   /* has not returned */
	lane_copy(w[0].lane, LANE, &lanes[0]);
	lane_copy(w[1].lane, LANE, &lanes[1]);
	loop_dump_make(lanes, 2, &d);
	assert_int_equal(d.n_events, 6);
	assert_int_equal(d.n_calls, 4);
	for (size_t i = 1; i < d.n_events; i++)
		assert_true(d.events[i].record->time > d.events[i - 1].record->time);
	assert_null(d.calls[0].enter);
	assert_int_equal(d.calls[1].exit->record.time, 20);
	assert_false(d.calls[1].joined);
	assert_int_equal(d.calls[2].exit->record.time, 30);
	assert_int_equal(d.calls[3].cpu, 1);
	assert_null(d.calls[3].exit);
	loop_dump_done(&d);
	writer_done(&w[0]);
	writer_done(&w[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_one_in_flight), cmocka_unit_test(test_torn),
		cmocka_unit_test(test_garbage),	      cmocka_unit_test(test_seq_wraps),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
