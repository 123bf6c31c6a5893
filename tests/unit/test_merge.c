// SPDX-License-Identifier: Apache-2.0
/* The sort window: order, lateness, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "traces/merge.h"

#define MS 1000000ull

struct got {
	uint64_t time;
	uint32_t id;
	bool late;
};

struct sink {
	struct got *got;
	size_t n, room;
};

static void release(void *ctx, const struct merge_row *row, bool late)
{
	struct sink *s = ctx;
	uint32_t id;

	assert_true(row->size >= sizeof(id));
	memcpy(&id, row->record, sizeof(id));
	*grow(&s->got, &s->n, &s->room) = (struct got){ row->time, id, late };
}

static void push_of(struct merge *m, void *owner, uint64_t time, uint32_t id)
{
	struct merge_row row = { .owner = owner, .time = time, .size = sizeof(id), .record = &id };

	merge_push(m, &row, time);
}

static void push(struct merge *m, uint64_t time, uint32_t id, uint32_t size, uint64_t now)
{
	_cleanup_(freep) unsigned char *record = calloc(1, size);
	struct merge_row row = { .time = time, .size = size, .record = record };

	memcpy(record, &id, sizeof(id));
	merge_push(m, &row, now); /* the record is gone after this: it must have been copied */
}

static void test_two_rings_in_order(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(100 * MS, 1 << 20, release, &s);

	for (uint32_t i = 0; i < 1000;
	     i++) /* one ring's burst, then the other's, interleaved in time */
		push(m, 1000 * MS + 2 * i, 2 * i, 8, 1001 * MS);
	for (uint32_t i = 0; i < 1000; i++)
		push(m, 1000 * MS + 2 * i + 1, 2 * i + 1, 8, 1001 * MS);
	merge_release(m, 1050 * MS);
	assert_int_equal(s.n, 0);
	merge_release(m, 1100 * MS + 999); /* what is exactly as old as the window waits */
	assert_int_equal(s.n, 999);
	merge_release(m, 1101 * MS);
	assert_int_equal(s.n, 2000);
	assert_int_equal(merge_held(m), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		assert_int_equal(s.got[i].id, i);
		assert_false(s.got[i].late);
	}
	merge_free(m);
	free(s.got);
}

static void test_equal_times_keep_arrival(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(10 * MS, 1 << 20, release, &s);

	for (uint32_t i = 0; i < 500; i++)
		push(m, 5 * MS, i, 16, 6 * MS);
	merge_release_all(m);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(s.got[i].id, i);
	merge_free(m);
	free(s.got);
}

static void test_late_is_marked_not_reordered(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(10 * MS, 1 << 20, release, &s);

	push(m, 100 * MS, 1, 8, 100 * MS);
	merge_release(m, 120 * MS);
	push(m, 99 * MS, 2, 8, 121 * MS);
	assert_int_equal(s.n, 2); /* at once */
	assert_true(s.got[1].late);
	push(m, 100 * MS, 3, 8, 121 * MS); /* as old as the newest released: in order still */
	merge_release(m, 131 * MS);
	assert_int_equal(s.n, 3);
	assert_false(s.got[2].late);
	merge_free(m);
	free(s.got);
}

static void test_future_does_not_stick(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(10 * MS, 1 << 20, release, &s);

	push(m, UINT64_MAX, 1, 8, 100 * MS);
	merge_release(m, 105 * MS);
	assert_int_equal(s.n, 0);
	merge_release(m, 111 * MS);
	assert_int_equal(s.n, 1);
	push(m, 101 * MS, 2, 8, 112 * MS); /* the one from the future did not make it late */
	merge_release_all(m);
	assert_int_equal(s.n, 2);
	assert_false(s.got[1].late);
	merge_free(m);
	free(s.got);
}

static void test_memory_is_bounded(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(1000 * MS, 64 * 1024, release, &s);

	for (uint32_t i = 0; i < 100; i++)
		push(m, 100 * MS + i, i, 4096, 101 * MS);
	assert_true(merge_held(m) < 16);
	assert_int_equal(merge_held(m) + s.n, 100);   /* released early, not dropped */
	push(m, 102 * MS, 100, 128 * 1024, 103 * MS); /* more than may be held at all */
	merge_release_all(m);
	assert_int_equal(s.n, 101);
	merge_free(m);
	free(s.got);
}

/* Random bursts: all that is not late comes in order, and all comes. */
static void test_random_bursts(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(3 * MS, 1 << 20, release, &s);
	uint64_t now = 1000 * MS, newest = 0;
	uint32_t n = 0;

	srand(1);
	for (int burst = 0; burst < 200; burst++) {
		now += (uint64_t)(rand() % 2000) * 1000;
		for (int i = 0; i < 100; i++)
			push(m, now - (uint64_t)(rand() % 5000) * 1000, n++,
			     8 + (uint32_t)(rand() % 64), now);
		merge_release(m, now);
	}
	merge_release_all(m);
	assert_int_equal(s.n, n);
	for (size_t i = 0; i < s.n; i++) {
		if (s.got[i].late) {
			assert_true(s.got[i].time < newest);
		} else {
			assert_true(s.got[i].time >= newest);
			newest = s.got[i].time;
		}
	}
	merge_free(m);
	free(s.got);
}

static void test_free_of_held(void **state)
{
	struct sink s = { 0 };
	struct merge *m = merge_new(MS, 1 << 20, release, &s);

	push(m, 1, 1, 8, 1);
	assert_null(merge_free(m));
	assert_null(merge_free(NULL));
	assert_int_equal(s.n, 0);
}

/* One of two owners leaves: it is given its rows in their order, and then they go. */
static void test_owners(void **state)
{
	struct sink s = { 0 }, own = { 0 };
	struct merge *m = merge_new(100 * MS, 1 << 20, release, &s);
	int a, b;

	for (uint32_t i = 0; i < 1000; i++)
		push_of(m, i % 3 ? &a : &b, MS + i * 7919 % 1000, i);
	merge_each(m, &a, release, &own);
	assert_int_equal(own.n, 666);
	for (size_t i = 0; i < own.n; i++) {
		assert_true(own.got[i].id % 3);
		assert_true(!i || own.got[i].time > own.got[i - 1].time);
	}
	assert_int_equal(merge_held(m), 1000);
	merge_drop(m, &a);
	assert_int_equal(merge_held(m), 334);
	merge_release_all(m);
	assert_int_equal(s.n, 334);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(s.got[i].id % 3, 0);
		assert_true(!i || s.got[i].time > s.got[i - 1].time);
	}
	merge_free(m);
	free(own.got);
	free(s.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_rings_in_order),
		cmocka_unit_test(test_equal_times_keep_arrival),
		cmocka_unit_test(test_late_is_marked_not_reordered),
		cmocka_unit_test(test_future_does_not_stick),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_random_bursts),
		cmocka_unit_test(test_free_of_held),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
