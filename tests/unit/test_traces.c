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

static const struct gadget_counters from_the_start;

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

static void test_finish_sound(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 1), "c");
	struct account_entry *e;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c, true, from_the_start);
	e->delivered = 70;
	e->discarded = 20;
	assert_int_equal(account_new_loss(e, (struct gadget_counters){95, 4}).count, 4);
	assert_int_equal(account_new_loss(e, (struct gadget_counters){96, 4}).count, 0);
	assert_int_equal(account_last_loss(e, (struct gadget_counters){100, 10}).count, 6);
	account_finish(&acc, e, (struct gadget_counters){100, 10});
	assert_int_equal(acc.unaccounted, 0);
	assert_int_equal(acc.n_ended, 1);
	assert_int_equal(acc.ended[0].n.lost, 10);
	assert_holds(acc.finished);
	account_lost_nameless(&acc, 3);
	assert_int_equal(acc.finished.seen, 103);
	assert_int_equal(acc.nameless.lost, 3);
	assert_holds(acc.finished);
	account_done(&acc);
}

/* What the reader had no room for is lost, and told as its own. */
static void test_own_loss(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 5), "c");
	struct account_entry *e;
	struct account acc;
	struct loss loss;

	account_init(&acc, 10);
	e = account_add(&acc, c, true, from_the_start);
	e->delivered = 5;
	e->dropped = 3;
	loss = account_new_loss(e, (struct gadget_counters){10, 2});
	assert_int_equal(loss.count, 5);
	assert_int_equal(loss.own, 3);
	e->dropped = 4;
	loss = account_last_loss(e, (struct gadget_counters){12, 2}); /* one never came */
	assert_int_equal(loss.count, 2);
	assert_int_equal(loss.own, 1);
	account_finish(&acc, e, (struct gadget_counters){12, 2});
	assert_int_equal(acc.finished.lost, 7);
	account_done(&acc);
}

/* What was counted before it came is not its own. */
static void test_late(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 5), "c");
	struct account_entry *e;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c, true, (struct gadget_counters){1000, 40});
	assert_int_equal(account_new_loss(e, (struct gadget_counters){1100, 40}).count, 0);
	assert_int_equal(account_new_loss(e, (struct gadget_counters){1100, 43}).count, 3);
	e->delivered = 90;
	e->discarded = 7;
	assert_int_equal(account_totals(e, (struct gadget_counters){1100, 43}).seen, 100);
	account_finish(&acc, e, (struct gadget_counters){1100, 43});
	assert_int_equal(acc.unaccounted, 0);
	assert_int_equal(acc.finished.seen, 100);
	assert_int_equal(acc.finished.lost, 3);
	assert_holds(acc.finished);
	e = account_add(&acc, c, true, (struct gadget_counters){1000, 0});
	account_drop(&acc, e);
	assert_int_equal(acc.finished.seen, 100);
	e = account_add(&acc, c, true, (struct gadget_counters){1000, 0}); /* miscounted before */
	e->delivered = 5;
	account_finish(&acc, e, (struct gadget_counters){900, 0});
	assert_int_equal(acc.unaccounted, 5);
	assert_holds(acc.finished);
	account_done(&acc);
	assert_int_equal(c->refs, 1);
}

/* A program that miscounts does not make the sums untrue; it is found out. */
static void test_finish_unsound(void **state)
{
	_cleanup_(container_unrefp) struct container *c = make(KEY(1, 1), "c");
	struct account_entry *e;
	struct account acc;

	account_init(&acc, 10);
	e = account_add(&acc, c, true, from_the_start); /* counted, never came */
	e->delivered = 5;
	assert_int_equal(account_new_loss(e, (struct gadget_counters){9, 1}).count, 1);
	assert_int_equal(account_last_loss(e, (struct gadget_counters){9, 1}).count, 3);
	account_finish(&acc, e, (struct gadget_counters){9, 1});
	assert_int_equal(acc.finished.lost, 4);
	assert_int_equal(acc.unaccounted, 3);
	e = account_add(&acc, NULL, true, from_the_start); /* came, never counted */
	e->delivered = 7;
	account_finish(&acc, e, (struct gadget_counters){5, 0});
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
	e = account_add(&acc, c, false, from_the_start);
	e->discarded = 6;
	n = account_totals(e, (struct gadget_counters){10, 4});
	assert_int_equal(n.discarded, 10);
	assert_int_equal(n.lost, 0);
	assert_int_equal(account_new_loss(e, (struct gadget_counters){10, 4}).count, 0);
	account_finish(&acc, e, (struct gadget_counters){10, 4});
	assert_int_equal(acc.unaccounted, 0);
	assert_int_equal(acc.finished.discarded, 10);
	assert_int_equal(acc.n_ended, 1);
	e = account_add(&acc, c, false,
			from_the_start); /* refused, and it did nothing: not worth a line */
	account_finish(&acc, e, (struct gadget_counters){0});
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
		struct account_entry *e = account_add(&acc, c, true, from_the_start);

		e->delivered = i;
		account_finish(&acc, e, (struct gadget_counters){i, 0});
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
		cmocka_unit_test(test_own_loss),     cmocka_unit_test(test_late),
		cmocka_unit_test(test_finish_sound), cmocka_unit_test(test_finish_unsound),
		cmocka_unit_test(test_unwanted),     cmocka_unit_test(test_ended_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
