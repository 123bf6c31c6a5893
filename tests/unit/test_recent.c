// SPDX-License-Identifier: Apache-2.0
/* The most recent blocks: what is kept is what a list without bounds would have at its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/recent.h"

enum { BLOCKS = 20000 };

/* A block's bytes follow from its number. */
static void fill(void *block, uint32_t size, uint64_t number)
{
	memset(block, (int)(number * 7), size);
}

struct expect {
	uint64_t next; /* lowest number that may come */
	size_t n;
	const uint32_t *sizes; /* by number; 0: it could not be had */
};

static void check(void *ctx, uint64_t number, const void *block, uint32_t size)
{
	struct expect *e = ctx;
	const unsigned char *bytes = block;

	assert_true(number >= e->next);
	assert_int_equal((uintptr_t)block % 8, 0);
	assert_int_equal(size, e->sizes[number]);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], (unsigned char)(number * 7));
	e->next = number + 1;
	e->n++;
}

/* Without a gap but for those that could not be had. */
static void check_all(const struct recent *r, const uint32_t *sizes)
{
	struct expect e = {.sizes = sizes};
	uint64_t at = r->last;
	size_t had = 0;

	recent_each(r, check, &e);
	assert_int_equal(e.n, r->n);
	assert_true(r->room <= r->max);
	for (; at && had < r->n; at--)
		had += sizes[at] != 0;
	assert_int_equal(had, r->n);
}

static uint32_t random_number(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void run(uint32_t seed)
{
	static uint32_t sizes[BLOCKS + 2000];
	struct recent r;
	uint32_t state = seed;

	memset(sizes, 0, sizeof(sizes));
	recent_init(&r, 8192 + 8 * (random_number(&state) % 8192));
	for (int i = 0; i < BLOCKS / 10; i++) {
		uint32_t size = 1 + random_number(&state) % (i % 7 ? 200 : 3000);
		void *block;

		if (random_number(&state) % 50 == 0)
			recent_skip(&r, 1 + random_number(&state) % 3);
		if (random_number(&state) % 400 == 0)
			recent_resize(&r, 4096 + 8 * (random_number(&state) % 16384));
		block = recent_push(&r, size);
		if (block) {
			fill(block, size, r.last);
			sizes[r.last] = size;
		}
		if (i % 37 == 0)
			check_all(&r, sizes);
	}
	check_all(&r, sizes);
	recent_done(&r);
}

static void test_any_order(void **state)
{
	for (uint32_t seed = 1; seed <= 40; seed++)
		run(seed);
}

static void test_what_is_too_large(void **state)
{
	struct recent r;
	uint32_t sizes[8] = {0, 100};

	recent_init(&r, 4096);
	fill(recent_push(&r, 100), 100, 1);
	assert_null(recent_push(&r, 5000));
	assert_int_equal(r.last, 2);
	assert_int_equal(r.n, 1);
	check_all(&r, sizes);
	recent_resize(&r, 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.room, 0);
	assert_null(recent_push(&r, 1));
	recent_done(&r);
}

static void test_little_takes_little(void **state)
{
	struct recent r;

	recent_init(&r, 1 << 20);
	assert_int_equal(r.room, 0);
	fill(recent_push(&r, 10), 10, 1);
	assert_true(r.room <= 4096);
	recent_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_what_is_too_large),
		cmocka_unit_test(test_little_takes_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
