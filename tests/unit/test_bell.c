// SPDX-License-Identifier: Apache-2.0
/* A reader without a timer is woken: by the first record, by a loss, and never too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libgen.h>
#include <limits.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/mem.h"
#include "gadget/gadget.h"

static struct gadget *start(const char *name, pid_t pid)
{
	char self[PATH_MAX] = "";
	struct gadget_load_options o;
	struct gadget *g = NULL;
	struct err err = {};

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	_cleanup_(freep) char *path = xasprintf("%s/../gadgets/%s.bpf.o", dirname(self), name);
	gadget_load_options_init(&o);
	o.host = true;
	o.process.pid = pid;
	if (gadget_open_file(path, NULL, &g, &err) || gadget_load(g, &o, &err) ||
	    gadget_attach(g, &err))
		fail_msg("%s", err.text);
	return g;
}

static void make_event(void)
{
	syscall(SYS_getppid);
}

static bool readable(const struct gadget *g, int ms)
{
	struct pollfd p = {.fd = gadget_fd(g), .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void test_one_record_wakes(void **state)
{
	struct gadget *g = start("sample_tracer", getpid());

	make_event();
	assert_false(readable(g, 20)); /* awake: a timer's affair */
	assert_false(gadget_sleep(g)); /* something is there */
	make_event();
	assert_false(readable(g, 20));
	assert_int_equal(gadget_read(g, 0, NULL, NULL), 2);
	for (int round = 0; round < 1000; round++) {
		assert_true(gadget_sleep(g));
		assert_false(readable(g, 0));
		make_event();
		assert_true(readable(g, 1000));
		make_event(); /* rings no second time */
		assert_int_equal(gadget_read(g, 0, NULL, NULL), 2);
		assert_false(readable(g, 0));
	}
	assert_true(gadget_sleep(g));
	gadget_wake(g);
	make_event();
	assert_false(readable(g, 20));
	gadget_free(g);
}

/* A table that is full: nothing comes into any ring. */
static void test_a_loss_wakes(void **state)
{
	struct gadget *g = start("sample_top", getpid());
	char name[16];

	assert_true(gadget_sleep(g));
	for (int i = 0; i < 1024; i++) { /* so many keys it takes */
		snprintf(name, sizeof(name), "key %d", i);
		prctl(PR_SET_NAME, name);
		make_event();
	}
	assert_int_equal(gadget_counters(g, 0).lost, 0);
	assert_false(readable(g, 20)); /* rows have their interval */
	prctl(PR_SET_NAME, "one more");
	make_event();
	assert_int_equal(gadget_counters(g, 0).lost, 1);
	assert_true(readable(g, 1000));
	gadget_free(g);
}

/*
 * The reader falls asleep while another process makes records, as close to each other as it gets:
 * no record may wait for the next one.
 */
static void test_no_record_is_slept_through(void **state)
{
	enum { EVENTS = 30000 };
	int go[2];
	pid_t child;
	size_t n = 0;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		char none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < EVENTS; i++) {
			if (read(go[0], &none, 1) != 1)
				_exit(1);
			for (volatile unsigned int wait = i % 977; wait; wait--)
				;
			make_event();
		}
		_exit(0);
	}
	struct gadget *g = start("sample_tracer", child);
	while (n < EVENTS) {
		assert_int_equal(write(go[1], "", 1), 1);
		for (size_t got = 0; !got; n += got) {
			if (gadget_sleep(g))
				assert_true(readable(g, 5000));
			gadget_wake(g);
			got = gadget_read(g, 0, NULL, NULL);
		}
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(n, EVENTS);
	assert_int_equal(gadget_counters(g, 0).seen, EVENTS);
	gadget_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_record_wakes),
		cmocka_unit_test(test_a_loss_wakes),
		cmocka_unit_test(test_no_record_is_slept_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
