// SPDX-License-Identifier: Apache-2.0
/* traces/hold: order, bounds for one and for all, records longer than a block. */
#include "traces/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

struct given {
	uint32_t next; /* number that the next record must have */
	size_t n, bytes;
};

static void on_record(void *ctx, const struct held_record *r)
{
	struct given *g = ctx;
	uint32_t number;

	assert_int_equal((uintptr_t)r->record % 8, 0);
	memcpy(&number, r->record, sizeof(number));
	assert_int_equal(number, g->next++);
	assert_int_equal(r->source, number % 3);
	g->n++;
	g->bytes += r->size;
}

static bool push(struct hold *h, uint32_t number, uint32_t size)
{
	_cleanup_(freep) unsigned char *bytes = xcalloc(1, size);

	memcpy(bytes, &number, sizeof(number));
	return hold_push(h, &(struct held_record){number % 3, size, bytes}, number + 1);
}

static void test_order(void **state)
{
	struct hold_room room = {.max = 1 << 20, .max_each = 1 << 20};
	struct hold *h = hold_new(&room);
	struct given g = {0};

	for (uint32_t i = 0; i < 1000; i++) /* odd sizes, some of more than a block */
		assert_true(push(h, i, i % 100 ? 5 + i % 61 : 9000));
	assert_true(room.used >= 10 * 9000);
	hold_release(h, on_record, &g);
	assert_int_equal(g.n, 1000);
	assert_int_equal(room.used, 0);
	assert_true(push(h, 1000, 8)); /* it may go on */
	hold_release(h, on_record, &g);
	assert_int_equal(g.n, 1001);
	hold_free(h);
}

/* The first ones are kept, and one that is full leaves room for others. */
static void test_bounds(void **state)
{
	struct hold_room room = {.max = 64 << 10, .max_each = 16 << 10};
	struct hold *full = hold_new(&room), *others[8];
	struct given g = {0};
	uint32_t kept = 0, n = 0;

	while (push(full, kept, 100))
		kept++;
	assert_true(kept > 100 && kept < (16 << 10) / 100);
	for (size_t i = 0; i < array_size(others); i++) {
		others[i] = hold_new(&room);
		n += push(others[i], 0, 100);
	}
	assert_true(n >= 8 && room.used <= room.max);
	hold_each(full, on_record, &g); /* they stay */
	assert_int_equal(g.n, kept);
	g = (struct given){0};
	hold_release(full, on_record, &g);
	assert_int_equal(g.n, kept);
	for (size_t i = 0; i < array_size(others); i++)
		hold_free(others[i]); /* with what they hold */
	assert_int_equal(room.used, 0);
	assert_null(hold_free(NULL));
	hold_free(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
