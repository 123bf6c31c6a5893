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
	.resolved = true,
	.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.name = "web-1",
	.image_name = "localhost/nginx:1.25",
	.annotations = {.items = labels, .n = array_size(labels)},
};

static const struct container bare = {.id = "c1", .name = "c1", .resolved = true};

static struct label pod_labels[] = {{"app.kubernetes.io/name", "shop"}, {"tier", "front"}};
static struct label own_labels[] = {{"tier", "own"}};

static const struct container in_pod = {
	.id = "aa",
	.name = "server",
	.resolved = true,
	.k8s_namespace = "shop",
	.k8s_pod = "server-7d9f",
	.k8s_labels = {.items = pod_labels, .n = array_size(pod_labels)},
	.labels = {.items = own_labels, .n = array_size(own_labels)},
};

static const struct container labelled = {
	.id = "bb",
	.name = "db",
	.resolved = true,
	.labels = {.items = own_labels, .n = array_size(own_labels)},
};

static enum selector_answer decide(struct selector_options o, const struct container *c)
{
	enum selector_answer decision;
	struct selector *s;

	assert_int_equal(selector_new(&o, &s, NULL), 0);
	decision = selector_decide(s, c);
	assert_int_equal(selector_matches(s, c), decision != SELECT_NO);
	selector_free(s);
	return decision;
}

/* Of containers of which all is known. */
static bool matches(struct selector_options o, const struct container *c)
{
	enum selector_answer decision = decide(o, c);

	assert_int_not_equal(decision, SELECT_MAYBE);
	return decision == SELECT_YES;
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
	assert_false(by_name("!db", &labelled));
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

static bool by_labels(const char *list, const struct container *c)
{
	return matches((struct selector_options){.labels = list}, c);
}

static void test_pods(void **state)
{
	assert_true(matches((struct selector_options){.namespace_ = "shop"}, &in_pod));
	assert_false(matches((struct selector_options){.namespace_ = "!sh*"}, &in_pod));
	assert_true(matches((struct selector_options){.namespace_ = "!sh*"}, &bare));
	assert_true(matches((struct selector_options){.pod = "db-0,server-*"}, &in_pod));
	assert_false(matches((struct selector_options){.pod = "server"}, &in_pod));
}

static void test_labels(void **state)
{
	assert_true(by_labels("tier=front", &in_pod)); /* the pod's, not its own */
	assert_false(by_labels("tier=own", &in_pod));
	assert_true(by_labels("tier=own", &labelled)); /* its own where it is in no pod */
	assert_true(by_labels("app.kubernetes.io/name=sh?p", &in_pod));
	assert_true(by_labels("tier==front", &in_pod));
	assert_true(by_labels("tier", &in_pod));
	assert_false(by_labels("!tier", &in_pod));
	assert_true(by_labels("!absent", &in_pod));
	assert_true(by_labels("tier!=back", &in_pod));
	assert_false(by_labels("tier!=fr*", &in_pod));
	assert_true(by_labels("absent!=x", &in_pod)); /* as kubectl has it */
	assert_true(by_labels("tier=front, app.kubernetes.io/name!=db", &in_pod));
	assert_false(by_labels("tier=front,app.kubernetes.io/name=db", &in_pod));
	assert_false(by_labels("tier=front,!app.kubernetes.io/name", &in_pod));
	assert_false(by_labels("tier", &bare));
}

/* A node that is a container, a container of a pod within it, and one within that. */
static void test_outer(void **state)
{
	struct container node = {.name = "node",
				 .id = "n",
				 .resolved = true,
				 .image_name = "kindest/node:1",
				 .labels = labelled.labels};
	struct container pod = in_pod, inner = {.name = "job", .id = "j", .resolved = true};

	pod.outer = &node;
	inner.outer = &pod;
	assert_true(by_name("node", &inner));
	assert_true(by_name("server", &inner));
	assert_true(by_name("no*", &pod));
	assert_false(by_name("server", &node)); /* outwards only */
	assert_false(by_name("!node", &inner));
	assert_false(by_name("!server", &inner));
	assert_true(by_name("!server", &node));
	assert_true(by_name("node,!other", &inner));
	assert_false(by_name("job,!node", &inner));
	assert_true(by_labels("tier=front", &inner));
	assert_true(by_labels("tier=own", &inner)); /* the node's */
	assert_false(by_labels("tier!=own", &pod));

	/* Of what is asked for, all must hold for one of them. */
	assert_true(matches((struct selector_options){.container_name = "node", .image = "kind*"},
			    &inner));
	assert_true(matches(
		(struct selector_options){.container_name = "server", .labels = "tier=front"},
		&inner));
	assert_false(matches(
		(struct selector_options){.container_name = "server", .image = "kind*"}, &inner));
	assert_false(by_labels("tier=front,tier=own", &inner));
	assert_true(matches(
		(struct selector_options){.container_name = "server", .image = "!nginx"}, &inner));
	assert_false(matches(
		(struct selector_options){.container_name = "server", .image = "!kind*"}, &inner));
}

static void test_sandboxes(void **state)
{
	struct container pause = {.name = "pause", .id = "p", .resolved = true, .sandbox = true};
	struct container inner = {.name = "x", .id = "x", .resolved = true, .outer = &pause};

	assert_false(matches((struct selector_options){0}, &pause));
	assert_false(by_name("pause", &pause));
	assert_true(matches((struct selector_options){.sandboxes = true}, &pause));
	assert_true(matches((struct selector_options){.sandboxes = true}, &bare));
	assert_true(by_name("pause", &inner)); /* what runs in one is none */
	pause.resolved = false;
	assert_int_equal(decide((struct selector_options){0}, &pause), SELECT_NO);
}

#define EXPECT(result, ...)                                                                     \
	assert_int_equal(decide((struct selector_options){__VA_ARGS__, .sandboxes = true}, &c), \
			 result)

#define DRAWN_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_not_yet_known(void **state)
{
	struct container c = {.id = DRAWN_ID, .name = DRAWN_ID};

	/* It may turn out to be a sandbox. */
	assert_int_equal(decide((struct selector_options){0}, &c), SELECT_MAYBE);
	assert_int_equal(decide((struct selector_options){.sandboxes = true}, &c), SELECT_YES);
	EXPECT(SELECT_YES, .container_id = DRAWN_ID);
	EXPECT(SELECT_NO, .container_id = "4*");
	EXPECT(SELECT_MAYBE, .container_name = "web"); /* its id stands for its name */
	EXPECT(SELECT_MAYBE, .container_name = "!web");
	EXPECT(SELECT_MAYBE, .image = "*");
	EXPECT(SELECT_MAYBE, .namespace_ = "!default");
	EXPECT(SELECT_MAYBE, .pod = "a");
	EXPECT(SELECT_MAYBE, .labels = "a");
	EXPECT(SELECT_MAYBE, .labels = "!a");
	EXPECT(SELECT_MAYBE, .annotations = "a!=b");
	EXPECT(SELECT_NO, .image = "*", .container_id = "4*"); /* one that is known decides */

	c.unaskable = true; /* nobody will tell */
	EXPECT(SELECT_NO, .container_name = "web");
	EXPECT(SELECT_NO, .labels = "a");
	EXPECT(SELECT_YES, .container_name = "0123*");
	c.unaskable = false;
	c.id = c.name = "chosen"; /* as ctr's are: the id is the name */
	EXPECT(SELECT_YES, .container_name = "chosen");
	EXPECT(SELECT_NO, .container_name = "web");
	c.name = "web";
	EXPECT(SELECT_YES, .container_name = "web");
	EXPECT(SELECT_NO, .container_name = "db");
	EXPECT(SELECT_MAYBE, .container_name = "web", .pod = "a");
	c.labels = labelled.labels; /* but it may be in a pod */
	EXPECT(SELECT_MAYBE, .labels = "tier=own");
	c.k8s_pod = "a";
	EXPECT(SELECT_MAYBE, .labels = "tier=front");
	c.k8s_labels = in_pod.k8s_labels;
	EXPECT(SELECT_YES, .labels = "tier=front");
	EXPECT(SELECT_NO, .labels = "tier=own");
	EXPECT(SELECT_NO, .labels = "absent");
	c.resolved = true;
	EXPECT(SELECT_NO, .image = "*");
	EXPECT(SELECT_YES, .image = "!*");
}

static void test_outer_not_yet_known(void **state)
{
	struct container outer = {.id = DRAWN_ID, .name = DRAWN_ID};
	struct container c = {.id = "c", .name = "c1", .resolved = true, .outer = &outer};

	EXPECT(SELECT_YES, .container_name = "c1");
	EXPECT(SELECT_MAYBE, .container_name = "node");
	EXPECT(SELECT_MAYBE, .container_name = "c1,!node");
	EXPECT(SELECT_NO, .container_name = "c1,!c*");
	EXPECT(SELECT_MAYBE, .container_name = "c1", .image = "kind*"); /* both of the outer one */
	outer.name = "node";
	EXPECT(SELECT_YES, .container_name = "node");
	EXPECT(SELECT_NO, .container_name = "other");
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
		{.container_name = "a,,b"}, {.container_id = ","},	{.image = "!"},
		{.annotations = "=x"},	    {.annotations = "a=b,!=x"}, {.labels = "a,"},
		{.labels = "a in (b,c)"},   {.labels = "!a!=b"},	{.labels = "!=a"},
		{.labels = ", a"},
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
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_unknown_text),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_is_all),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_sandboxes),
		cmocka_unit_test(test_not_yet_known),
		cmocka_unit_test(test_outer_not_yet_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
