// SPDX-License-Identifier: Apache-2.0
/* Rows that were discarded, by container: those of many keys, of which the last ones are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "client/discards.h"

static void test_counts(void **state)
{
	static const uint64_t keys[] = {7, 0, 7, 1ull << 32 | 7, 7, 0};
	struct discards d;

	discards_init(&d);
	assert_int_equal(discards_of(&d, 7), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		discards_add(&d, keys[i]);
	assert_int_equal(discards_of(&d, 7), 3);
	assert_int_equal(discards_of(&d, 0), 2);
	assert_int_equal(discards_of(&d, 1ull << 32 | 7), 1);
	assert_int_equal(discards_of(&d, 8), 0);
	assert_int_equal(d.total, 6);
	discards_done(&d);
	assert_int_equal(d.total, 0);
	assert_int_equal(discards_of(&d, 7), 0);
	discards_add(&d, 7); /* it may be used again */
	assert_int_equal(discards_of(&d, 7), 1);
	discards_done(&d);
}

/* Containers come and go, and one stays that has a row discarded now and then. */
static void test_bound(void **state)
{
	enum { STAYS = 1, FIRST = 10, KEYS = 3 * MAX_CONTAINERS };
	struct discards d;
	uint64_t stays = 0;

	discards_init(&d);
	for (uint64_t i = 0; i < KEYS; i++) {
		if (i % 1000 == 0) {
			discards_add(&d, STAYS);
			stays++;
		}
		discards_add(&d, FIRST + i);
	}
	assert_int_equal(d.by_key.n, MAX_CONTAINERS);
	assert_int_equal(d.total, KEYS + stays);
	assert_int_equal(discards_of(&d, STAYS), stays);
	assert_int_equal(discards_of(&d, FIRST), 0);
	for (uint64_t i = KEYS - MAX_CONTAINERS + 1; i < KEYS; i++)
		assert_int_equal(discards_of(&d, FIRST + i), 1);
	discards_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
