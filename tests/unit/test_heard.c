// SPDX-License-Identifier: Apache-2.0
/* What runtimes' daemons tell of their containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "containers/containerd.h"
#include "containers/docker.h"
#include "containers/internal.h"
#include "containers/listener.h"
#include "containers/proc.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A task with another process is another container: tasks.v1.GetResponse{process{pid}}. */
static void test_containerd_task(void **state)
{
	_cleanup_(container_unrefp) struct container *c = container_new();

	c->pid = 50;
	assert_true(containerd_fill_task(NULL, c, "\x0a\x02\x18\x32", 4));
	assert_false(containerd_fill_task(NULL, c, "\x0a\x02\x18\x33", 4));
	assert_false(containerd_fill_task(NULL, c, "\x0a\x00", 2));
	assert_false(containerd_fill_task(NULL, c, "", 0));
	assert_false(containerd_fill_task(NULL, c, "\x0a\x09", 2));
}

static void do_nothing(struct listener *l)
{
}

static void hear(struct listener *l, const char *namespace, const char *topic, const char *event)
{
	_cleanup_(freep) char *m = xasprintf(
		"\x12%c%s\x1a%c%s\x22%c\x12%c%s", (int)strlen(namespace), namespace,
		(int)strlen(topic), topic, (int)strlen(event) + 2, (int)strlen(event), event);

	containerd_hear(l, m, strlen(m));
}

static void test_containerd_events(void **state)
{
	struct daemon d = {0};
	struct listener l;
	const struct heard *h;

	listener_begin(&l, &d, do_nothing);
	assert_null(listener_find(NULL, "web", 50));
	assert_null(listener_find(&l, "web", 50));
	hear(&l, "one", "/containers/create", "\x0a\x03web\x12\x05img:1");
	h = listener_find(&l, "web", 50); /* whose process was not told yet */
	assert_string_equal(h->image, "img:1");
	hear(&l, "one", "/tasks/create", "\x0a\x03web\x30\x32");
	hear(&l, "two", "/containers/create", "\x0a\x03web\x12\x05img:2");
	hear(&l, "two", "/tasks/start", "\x0a\x03web\x10\x33");
	h = listener_find(&l, "web", 50);
	assert_string_equal(h->namespace_, "one");
	h = listener_find(&l, "web", 51);
	assert_string_equal(h->namespace_, "two");
	assert_string_equal(h->image, "img:2");
	assert_null(listener_find(&l, "web", 52));
	assert_null(listener_find(&l, NULL, 51));
	hear(&l, "two", "/tasks/exit", "\x0a\x03web\x10\x34");
	hear(&l, "two", "/tasks/start", "\x0a\x7fweb");
	hear(&l, "two", "/tasks/start", "");
	containerd_hear(&l, "\x12\x7f", 2);
	assert_int_equal(l.n_heard, 2);
	listener_done(&l);
}

static void test_docker_events(void **state)
{
	static const char created[] =
		"{\"status\":\"create\",\"id\":\"" ID "\",\"from\":\"db:3\",\"Type\":\"container\","
		"\"Action\":\"create\",\"Actor\":{\"ID\":\"" ID "\",\"Attributes\":{\"image\":"
		"\"db:3\",\"name\":\"db\",\"team\":\"blue\"}},\"scope\":\"local\",\"time\":1}";
	static const char other[] =
		"{\"Type\":\"image\",\"Actor\":{\"ID\":\"x\",\"Attributes\":{}}}";
	_cleanup_(freep) char *big = xasprintf("{\"Type\":\"container\",\"Actor\":{\"ID\":\"big\","
					       "\"Attributes\":{\"name\":\"b\",\"x\":\"%*s\"}}}",
					       MAX_HEARD_LABELS_BYTES, "");
	struct daemon d = {0};
	struct listener l;
	const struct heard *h;

	listener_begin(&l, &d, do_nothing);
	docker_hear(&l, created, strlen(created));
	docker_hear(&l, created, strlen(created));
	docker_hear(&l, other, strlen(other));
	docker_hear(&l, "{", 1);
	docker_hear(&l, big, strlen(big));
	assert_int_equal(l.n_heard, 2);
	h = listener_find(&l, ID, 50);
	assert_string_equal(h->name, "db");
	assert_string_equal(h->image, "db:3");
	assert_int_equal(h->labels.n, 1);
	assert_string_equal(labels_get(&h->labels, "team"), "blue");
	assert_true(h->has_labels);
	h = listener_find(&l, "big", 50);
	assert_string_equal(h->name, "b");
	assert_false(h->has_labels);
	assert_int_equal(h->labels.n, 0);
	listener_done(&l);
}

static void test_heard_is_bounded(void **state)
{
	_cleanup_(freep) char *longest = xnew_n(char, MAX_HEARD_TEXT_BYTES + 2);
	struct daemon d = {0};
	struct listener l;

	memset(longest, 'x', MAX_HEARD_TEXT_BYTES + 1);
	listener_begin(&l, &d, do_nothing);
	assert_null(listener_hear(&l, "", longest));
	assert_null(listener_hear(&l, longest, "a"));
	assert_null(listener_hear(&l, "", ""));
	heard_set(&listener_hear(&l, "", "first")->name, longest);
	assert_null(listener_find(&l, "first", 1)->name);
	heard_set(&listener_hear(&l, "", "second")->name, "x");
	listener_hear(&l, "", "first");
	for (int i = 0; i < MAX_HEARD - 1; i++) {
		_cleanup_(freep) char *id = xasprintf("c%d", i);

		listener_hear(&l, "", id);
	}
	assert_int_equal(l.n_heard, MAX_HEARD);
	assert_non_null(listener_find(&l, "first", 1));
	assert_null(listener_find(&l, "second", 1));
	listener_done(&l);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containerd_task),
		cmocka_unit_test(test_containerd_events),
		cmocka_unit_test(test_docker_events),
		cmocka_unit_test(test_heard_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
