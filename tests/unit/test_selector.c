// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "containers/container.h"
#include "containers/selector.h"

static struct label labels[] = {
	{"app", "web"},
	{"tier", "front"},
	{"empty", ""},
};

static const struct container web = {
	.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.name = "web-1",
	.image_name = "localhost/nginx:1.25",
	.annotations = {.items = labels, .n = array_size(labels)},
};

static const struct container bare = { .id = "c1", .name = "c1" };

static bool matches(struct selector_options o, const struct container *c)
{
	struct selector *s;
	bool yes;

	assert_int_equal(selector_new(&o, &s, NULL), 0);
	yes = selector_matches(s, c);
	selector_free(s);
	return yes;
}

static bool by_name(const char *list, const struct container *c)
{
	return matches((struct selector_options){ .container_name = list }, c);
}

static void test_names(void **state)
{
	assert_true(by_name(NULL, &web));
	assert_true(by_name("", &web));
	assert_true(by_name("web-1", &web));
	assert_false(by_name("web", &web)); /* whole names */
	assert_true(by_name("web-*", &web));
	assert_true(by_name("db,web-?", &web));
	assert_false(by_name("db,web", &web));
	assert_true(by_name("!db", &web)); /* only exclusions: all else */
	assert_false(by_name("!web-*", &web));
	assert_false(by_name("web-*,!web-1", &web));
	assert_true(by_name("web-*,!web-2", &web));
	assert_false(by_name("!db", &(struct container){ .name = "db" }));
}

static void test_ids(void **state)
{
	assert_true(matches((struct selector_options){ .container_id = "0123456789ab" }, &web));
	assert_false(matches((struct selector_options){ .container_id = "0123" }, &web));
	assert_true(matches((struct selector_options){ .container_id = "0123*" }, &web));
	assert_false(matches((struct selector_options){ .container_id = "!0123456789ab" }, &web));
	assert_true(matches((struct selector_options){ .container_id = "c1" }, &bare));
}

static void test_unknown_text(void **state)
{
	assert_true(matches((struct selector_options){ .image = "*nginx*" }, &web));
	/* What is not known matches no glob, not even `*`, and is excluded by none. */
	assert_false(matches((struct selector_options){ .image = "*" }, &bare));
	assert_true(matches((struct selector_options){ .image = "!*" }, &bare));
	assert_false(matches((struct selector_options){ .namespace_ = "default" }, &web));
	assert_false(matches((struct selector_options){ .labels = "app=web" }, &web));
	assert_true(matches((struct selector_options){ .labels = "!app=web" }, &web));
}

static void test_annotations(void **state)
{
	assert_true(matches((struct selector_options){ .annotations = "app=w*" }, &web));
	assert_true(matches((struct selector_options){ .annotations = "app=web,tier=front" }, &web));
	assert_false(matches((struct selector_options){ .annotations = "app=web,tier=back" }, &web));
	assert_true(matches((struct selector_options){ .annotations = "app" }, &web));
	assert_true(matches((struct selector_options){ .annotations = "empty=" }, &web));
	assert_false(matches((struct selector_options){ .annotations = "ap" }, &web));
	assert_false(matches((struct selector_options){ .annotations = "!app" }, &web));
	assert_true(matches((struct selector_options){ .annotations = "!app" }, &bare));
	assert_true(matches((struct selector_options){ .annotations = "app=web,!tier=back" }, &web));
}

static void test_together(void **state)
{
	struct selector_options o = {
		.container_name = "web-*", .image = "*nginx*", .annotations = "app"};

	assert_true(matches(o, &web));
	o.image = "*mysql*";
	assert_false(matches(o, &web));
}

static void test_malformed(void **state)
{
	static const struct selector_options bad[] = {
		{ .container_name = "a,,b" }, { .container_id = "," },	{ .image = "!" },
		{ .annotations = "=x" },	    { .annotations = "a=b,!=x" }, { .labels = "a," },
	};

	for (size_t i = 0; i < array_size(bad); i++) {
		struct selector *s = NULL;
		struct err err = {0};

		assert_int_equal(selector_new(&bad[i], &s, &err), -EINVAL);
		assert_null(s);
		assert_true(err.text[0]);
	}
}

static void test_is_all(void **state)
{
	static const struct selector_options some[] = {
		{ .container_name = "a" }, { .container_id = "a" }, { .image = "a" },
		{ .annotations = "a" },	 { .namespace_ = "a" },	{ .pod = "a" },
		{ .labels = "a" },
	};
	struct selector *s;

	assert_int_equal(selector_new(&(struct selector_options){ .pod = "" }, &s, NULL), 0);
	assert_true(selector_is_all(s));
	selector_free(s);
	for (size_t i = 0; i < array_size(some); i++) {
		assert_int_equal(selector_new(&some[i], &s, NULL), 0);
		assert_false(selector_is_all(s));
		assert_null(selector_free(s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_ids),
		cmocka_unit_test(test_unknown_text), cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_together),     cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
