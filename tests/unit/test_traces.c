// SPDX-License-Identifier: Apache-2.0
/* Accounting: seen = delivered + discarded + lost, for each container and in all, whatever happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "traces/account.h"

#define KEY(generation, slot) ((uint64_t)(generation) << 32 | (slot))

static struct container *make(uint64_t key, const char *name)
{
	struct container *c = container_new();

	c->key = key;
	c->name = xstrdup(name);
	return c;
}

static void assert_holds(struct totals n)
{
	assert_int_equal(n.seen, n.delivered + n.discarded + n.lost);
}

static void test_slots_and_keys(void **state)
{
	_cleanup_(container_unrefp) struct container *a = make(KEY(1, 5), "a"),
						     *b = make(KEY(2, 5), "b");
	struct account acc;

	account_init(&acc, 10);
	assert_null(account_find(&acc, KEY(1, 5)));
	assert_null(account_at(&acc, 40000));
	account_add(&acc, a->key, a, true);
	assert_non_null(account_find(&acc, KEY(1, 5)));
	assert_null(account_find(&acc, KEY(2, 5))); /* same slot, another container */
	account_finish(&acc, 5, (struct gadget_counters){ 0 });
	account_add(&acc, b->key, b, true);
	assert_null(account_find(&acc, KEY(1, 5)));
	assert_ptr_equal(account_find(&acc, KEY(2, 5))->container, b);
	account_add(&acc, KEY(3, 9000), NULL, false);
	assert_non_null(account_find(&acc, KEY(3, 9000)));
	assert_non_null(account_find(&acc, KEY(2, 5)));
	account_done(&acc);
	assert_int_equal(a->refs, 1);
	assert_int_equal(b->refs, 1);
}

static void test_finish_sound(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 1), "c");
	struct account_entry *e;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c->key, c, true);
	e->delivered = 70;
	e->discarded = 20;
	assert_int_equal(account_new_loss(e, (struct gadget_counters){ 95, 4 }), 4);
	assert_int_equal(account_new_loss(e, (struct gadget_counters){ 96, 4 }), 0);
	assert_int_equal(account_last_loss(e, (struct gadget_counters){ 100, 10 }), 6);
	account_finish(&acc, 1, (struct gadget_counters){ 100, 10 });
	assert_int_equal(acc.unaccounted, 0);
	assert_int_equal(acc.n_ended, 1);
	assert_int_equal(acc.ended[0].n.lost, 10);
	assert_holds(acc.finished);
	account_lost_nameless(&acc, 3);
	assert_int_equal(acc.finished.seen, 103);
	assert_int_equal(acc.nameless.lost, 3);
	assert_holds(acc.finished);
	account_finish(&acc, 1, (struct gadget_counters){ 5, 5 }); /* a free slot: nothing */
	assert_int_equal(acc.finished.seen, 103);
	account_done(&acc);
}

/* A program that miscounts does not make the sums untrue; it is found out. */
static void test_finish_unsound(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 1), "c");
	struct account_entry *e;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c->key, c, true); /* counted, never came */
	e->delivered = 5;
	assert_int_equal(account_new_loss(e, (struct gadget_counters){ 9, 1 }), 1);
	assert_int_equal(account_last_loss(e, (struct gadget_counters){ 9, 1 }), 3);
	account_finish(&acc, 1, (struct gadget_counters){ 9, 1 });
	assert_int_equal(acc.finished.lost, 4);
	assert_int_equal(acc.unaccounted, 3);
	e = account_add(&acc, KEY(2, 1), NULL, true); /* came, never counted */
	e->delivered = 7;
	account_finish(&acc, 1, (struct gadget_counters){ 5, 0 });
	assert_int_equal(acc.unaccounted, 5);
	assert_int_equal(acc.nameless.seen, 7);
	acc.stray.discarded = 2;
	account_finish_stray(&acc);
	assert_int_equal(acc.nameless.seen, 9);
	assert_holds(acc.finished);
	assert_holds(acc.nameless);
	account_done(&acc);
}

/* Loss of a container that the selector refused is nobody's loss. */
static void test_unwanted(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 1), "c");
	struct account_entry *e;
	struct totals n;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c->key, c, false);
	e->discarded = 6;
	n = account_totals(e, (struct gadget_counters){ 10, 4 });
	assert_int_equal(n.discarded, 10);
	assert_int_equal(n.lost, 0);
	assert_int_equal(account_new_loss(e, (struct gadget_counters){ 10, 4 }), 0);
	account_finish(&acc, 1, (struct gadget_counters){ 10, 4 });
	assert_int_equal(acc.unaccounted, 0);
	assert_int_equal(acc.finished.discarded, 10);
	assert_int_equal(acc.n_ended, 1);
	account_add(&acc, c->key, c, false); /* refused, and it did nothing: not worth a line */
	account_finish(&acc, 1, (struct gadget_counters){ 0 });
	assert_int_equal(acc.n_ended, 1);
	account_done(&acc);
}

/* Names of long ended containers are let go, their numbers are not. */
static void test_ended_is_bounded(void **state)
{
	struct account acc;
	uint64_t sum = 0;

	account_init(&acc, 100);
	for (uint32_t i = 0; i < 1050; i++) {
		_cleanup_(container_unrefp) struct container *c = make(KEY(i + 1, i % 7), "x");
		struct account_entry *e = account_add(&acc, c->key, c, true);

		e->delivered = i;
		account_finish(&acc, i % 7, (struct gadget_counters){ i, 0 });
	}
	assert_int_equal(acc.n_ended, 100);
	assert_int_equal(acc.n_others, 950);
	for (size_t i = 0; i < acc.n_ended; i++) {
		const struct account_end *e = &acc.ended[(acc.first_ended + i) % acc.room_ended];

		assert_int_equal(e->n.seen, 950 + i); /* oldest first */
		sum += e->n.seen;
	}
	assert_int_equal(sum + acc.others.seen, acc.finished.seen);
	assert_int_equal(acc.finished.seen, 1049 * 1050 / 2);
	account_done(&acc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_and_keys),	 cmocka_unit_test(test_finish_sound),
		cmocka_unit_test(test_finish_unsound),	 cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_ended_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
