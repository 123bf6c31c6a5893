// SPDX-License-Identifier: Apache-2.0
/* A container: its key, its fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/json.h"
#include "columns/labels.h"
#include "containers/container.h"
#include "containers/internal.h"

static void test_slots(void **state)
{
	struct entry e = {0};
	struct slots s = {0};
	uint64_t first = 0, key;

	slots_init(&s);
	for (unsigned int i = 1; i < MAX_SLOTS; i++) {
		assert_true(slots_take(&s, &key));
		assert_int_equal(container_slot(key), i); /* 0 is the host's */
		if (i == 1)
			first = key;
	}
	assert_false(slots_take(&s, &key));
	assert_null(slots_entry(&s, first));
	slots_set(&s, first, &e);
	assert_ptr_equal(slots_entry(&s, first), &e);
	slots_give(&s, first);
	assert_null(slots_entry(&s, first)); /* a key is never used twice */
	assert_true(slots_take(&s, &key));
	assert_int_equal(container_slot(key), container_slot(first));
	assert_true(key != first);
	assert_null(slots_entry(&s, G_BY_NAMESPACE));
	assert_null(slots_entry(&s, 0));
	slots_done(&s);
}

static void test_fields(void **state)
{
	struct schema *s = schema_new(NULL, "x", 8);
	size_t n;
	const struct field *f = container_schema_fields(&n);

	assert_int_equal(container_add_fields(s, NULL), 0);
	assert_int_equal(s->n_fields, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(f[i].part, PART_CONTAINER);
		assert_true(f[i].offset + f[i].size <= sizeof(struct container));
		/* One column says which container; the others are asked for. */
		if (f[i].kind != KIND_NONE)
			assert_int_equal(!(f[i].flags & FIELD_HIDDEN),
					 !strcmp(f[i].name, "runtime.containerName"));
	}
	schema_unref(s);
}

static void test_contents(void **state)
{
	static const char json[] =
		"{\"k8s\":{\"podName\":\"shop-1\",\"podLabels\":{\"app\":\"web\"},\"hostnetwork\":"
		"true,"
		"\"podIP\":\"10.1.0.7\"},\"runtime\":{\"containerLabels\":{\"own\":\"1\"},"
		"\"outerContainer\":\"node\",\"resolved\":false}}";
	static const char *const names[] = {
		"k8s.podName",	    "k8s.podLabels",	       "k8s.hostnetwork",
		"k8s.podIP",	    "runtime.containerLabels", "runtime.outerContainer",
		"runtime.resolved",
	};
	_cleanup_(container_unrefp) struct container *c = container_new(), *outer = container_new();
	_cleanup_(buf_done) struct buf out = {.max = 4096};
	struct row row = {.part = {NULL, c}, .size = {0, sizeof(*c)}};
	struct schema *s = schema_new(NULL, "x", 0);
	struct json_plan *plan;
	bool json_of[128] = {0};
	const struct selection selected = {.json = json_of};

	outer->name = xstrdup("node");
	container_set_outer(c, outer);
	assert_true(c->resolved);
	c->resolved = false;
	c->k8s_hostnetwork = true;
	c->k8s_pod_ip = xstrdup("10.1.0.7");
	labels_add(&c->labels, "own", "1");
	labels_add(&c->k8s_labels, "app", "web");
	assert_ptr_equal(container_labels(c), &c->labels);
	c->k8s_pod = xstrdup("shop-1");
	assert_ptr_equal(container_labels(c), &c->k8s_labels);

	assert_int_equal(container_add_fields(s, NULL), 0);
	assert_int_equal(schema_finish(s, NULL), 0);
	for (size_t i = 0; i < array_size(names); i++)
		json_of[schema_field(s, names[i]) - s->fields] = true;
	plan = json_plan_new(s, &selected, "", NULL);
	assert_true(json_plan_row(plan, &row, false, &out));
	assert_string_equal(buf_cstr(&out), json);
	json_plan_free(plan);
	schema_unref(s);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
