// SPDX-License-Identifier: Apache-2.0
/* base/reactor: descriptors and timers, and callbacks that remove each other. */
#include "base/reactor.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

#define MS 1000000ull

struct side {
	struct reactor *reactor;
	struct watch watch;
	struct timer timer;
	struct side *other; /* whom its callback removes */
	int fds[2];
	unsigned int calls;
};

static void setup(struct side *s, struct reactor *r)
{
	*s = (struct side){.reactor = r};
	assert_int_equal(pipe(s->fds), 0);
}

static void teardown(struct side *s)
{
	watch_remove(&s->watch);
	timer_stop(&s->timer);
	close(s->fds[0]);
	close(s->fds[1]);
}

static void on_readable(void *ctx, uint32_t events)
{
	struct side *s = ctx;
	char byte;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(s->fds[0], &byte, 1), 1);
	s->calls++;
	if (s->other)
		watch_remove(&s->other->watch);
}

static void on_time(void *ctx)
{
	struct side *s = ctx;

	s->calls++;
	if (s->other)
		timer_stop(&s->other->timer);
}

static void wait_once(struct reactor *r)
{
	struct pollfd p = {.fd = reactor_fd(r), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
	reactor_dispatch(r);
}

static struct reactor *new_reactor(void)
{
	struct reactor *r = NULL;
	struct err err = {0};

	assert_int_equal(reactor_new(&r, &err), 0);
	return r;
}

static void test_watch(void **state)
{
	struct reactor *r = new_reactor();
	struct side s;

	setup(&s, r);
	assert_int_equal(watch_add(&s.watch, r, s.fds[0], EPOLLIN, on_readable, &s), 0);
	reactor_dispatch(r);
	assert_int_equal(s.calls, 0);
	assert_int_equal(write(s.fds[1], "x", 1), 1);
	wait_once(r);
	assert_int_equal(s.calls, 1);
	assert_int_equal(watch_change(&s.watch, 0), 0);
	assert_int_equal(write(s.fds[1], "x", 1), 1);
	reactor_dispatch(r);
	assert_int_equal(s.calls, 1);
	watch_remove(&s.watch);
	watch_remove(&s.watch); /* twice is fine */
	teardown(&s);
	reactor_free(r);
}

/* Two are readable at once; whichever is called first removes the other. */
static void test_removed_meanwhile(void **state)
{
	struct reactor *r = new_reactor();
	struct side a, b;

	setup(&a, r);
	setup(&b, r);
	a.other = &b;
	b.other = &a;
	assert_int_equal(watch_add(&a.watch, r, a.fds[0], EPOLLIN, on_readable, &a), 0);
	assert_int_equal(watch_add(&b.watch, r, b.fds[0], EPOLLIN, on_readable, &b), 0);
	assert_int_equal(write(a.fds[1], "x", 1), 1);
	assert_int_equal(write(b.fds[1], "x", 1), 1);
	wait_once(r);
	assert_int_equal(a.calls + b.calls, 1);
	teardown(&a);
	teardown(&b);
	reactor_free(r);
}

static void test_timers(void **state)
{
	struct reactor *r = new_reactor();
	struct side early, late, stopped;

	setup(&early, r);
	setup(&late, r);
	setup(&stopped, r);
	timer_start(&late.timer, r, 40 * MS, on_time, &late);
	timer_start(&stopped.timer, r, 2 * MS, on_time, &stopped);
	timer_start(&early.timer, r, 1000 * MS, on_time, &early);
	timer_start(&early.timer, r, MS, on_time, &early); /* set anew */
	early.other = &stopped;
	while (!early.calls)
		wait_once(r);
	assert_int_equal(late.calls, 0);
	while (!late.calls)
		wait_once(r);
	assert_int_equal(early.calls, 1);
	assert_int_equal(late.calls, 1);
	assert_true(stopped.calls <= 1); /* it may have been due in the same call */
	teardown(&early);
	teardown(&late);
	teardown(&stopped);
	reactor_free(r);
}

/* A timer that is still set when its reactor goes may be stopped afterwards. */
static void test_gone(void **state)
{
	struct reactor *r = new_reactor();
	struct side s;

	setup(&s, r);
	timer_start(&s.timer, r, MS, on_time, &s);
	reactor_free(r);
	timer_stop(&s.timer);
	assert_null(reactor_free(NULL));
	teardown(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_removed_meanwhile),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
