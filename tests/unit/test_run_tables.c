// SPDX-License-Identifier: Apache-2.0
/*
 * Tables, snapshots and samples of gadgets that run: exact numbers. Needs root and BPF; without
 * them it fails, because nothing was tested then.
 */
#include "run_fixture.h"

/* ---- top --------------------------------------------------------------------------------- */

/* The table is swapped again and again while two count: nothing is lost or counted twice. */
static void test_top_is_exact(void **state)
{
	struct gadget_load_options o = own_events();
	enum { EVENTS = 100000 };

	o.process.pid = -1;
	memcpy(o.process.comm, "ig-hammer", sizeof("ig-hammer"));
	struct reader reader = {.g = start("sample_top", &o)};
	reader.r = reading(reader.g, "calls");
	pid_t pids[2] = {hammer("ig-hammer", EVENTS), hammer("ig-hammer", EVENTS)};
	run_hammers(pids, array_size(pids), collect_into, &reader);
	gadget_detach(reader.g);
	collect_into(&reader);
	assert_int_equal(reader.r.sum, 2 * EVENTS);
	assert_true(reader.reads > 2);

	size_t rows = reader.r.n;
	collect_into(&reader);
	assert_int_equal(reader.r.n, rows); /* emptied */
	assert_int_equal(gadget_counters(reader.g, 0).seen, rows);
	assert_int_equal(gadget_counters(reader.g, 0).lost, 0);
	gadget_free(reader.g);
}

/* More keys than one batch takes. */
static void test_top_many_rows(void **state)
{
	struct gadget_load_options o = own_events();
	struct reader reader = {.g = start("sample_top", &o)};
	struct bpf_map *table = source_map(reader.g, 0, "_table_a");
	unsigned char key[256] = {}, value[256] = {};
	uint64_t one = 1;

	reader.r = reading(reader.g, "calls");
	gadget_detach(reader.g);
	assert_true(bpf_map__key_size(table) <= sizeof(key));
	memcpy(value, &one, sizeof(one));
	for (uint32_t i = 0; i < 1024; i++) {
		memcpy(key + sizeof(uint64_t), &i, sizeof(i));
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(table), key, value, BPF_ANY), 0);
	}
	collect_into(&reader);
	assert_int_equal(reader.r.n, 1024);
	assert_int_equal(reader.r.sum, 1024);
	collect_into(&reader);
	collect_into(&reader);
	assert_int_equal(reader.r.n, 1024);
	gadget_free(reader.g);
}

/* What is in a second: by how long the table was filled, the last one until the programs stopped.
 */
static void test_top_rates(void **state)
{
	struct gadget_load_options o = own_events();
	enum { CALLS = 1000, AT_LEAST_NS = 50000000 };
	uint64_t begin = now_ns();
	struct reader reader = {.g = start("sample_top", &o)};

	reader.r = reading(reader.g, "rate");
	for (int last = 0; last < 2; last++) {
		make_events(CALLS);
		usleep(AT_LEAST_NS / 1000);
		if (last)
			gadget_detach(reader.g);
		uint64_t stopped = now_ns();
		if (last)
			usleep(AT_LEAST_NS / 1000);
		collect_into(&reader);
		uint64_t most = (last ? stopped : now_ns()) - begin;
		assert_in_range(reader.r.last, CALLS * 1000000000ull / most,
				CALLS * 1000000000ull / AT_LEAST_NS);
		begin = stopped; /* before the table was swapped */
	}
	gadget_free(reader.g);
}

/* ---- snapshot ---------------------------------------------------------------------------- */

static void test_snapshot(void **state)
{
	struct gadget_load_options o = own_events();
	struct reader reader = {};
	pid_t child = hammer("ig-snapshot", 0);

	o.process.pid = -1; /* everybody */
	reader.g = start("sample_snapshot", &o);
	reader.r = reading(reader.g, NULL);
	reader.r.find_pid = child;
	collect_into(&reader);
	assert_int_equal(reader.r.found, 1);
	assert_true(reader.r.n > 10);
	assert_int_equal(gadget_counters(reader.g, 0).seen, reader.r.n);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	collect_into(&reader);
	assert_int_equal(reader.r.found, 1);
	gadget_free(reader.g);
}

/* What a first look finds is dropped, and counted by nobody; the program knows that it was one. */
static void test_sample(void **state)
{
	struct gadget_load_options o = own_events();
	struct err err = {};

	struct reader reader = {.g = start("sample_periodic", &o)};
	reader.r = reading(reader.g, "look");
	for (int i = 0; i < 2; i++) {
		must(gadget_collect(reader.g, 0, NULL, NULL, NULL, &err), &err);
		assert_int_equal(gadget_counters(reader.g, 0).seen, 0);
	}
	for (int look = 2; look < 4; look++) {
		collect_into(&reader);
		assert_int_equal(reader.r.last, look);
		assert_int_equal(reader.r.n, gadget_counters(reader.g, 0).seen);
		assert_true(reader.r.n > 0);
	}
	gadget_free(reader.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top_is_exact), cmocka_unit_test(test_top_many_rows),
		cmocka_unit_test(test_top_rates),    cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, needs_root, NULL);
}
