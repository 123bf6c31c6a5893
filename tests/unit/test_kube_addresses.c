// SPDX-License-Identifier: Apache-2.0
/* kube/addresses: whose an address is as pods and services come, change and go, and what that
 * takes. */
#include "kube/addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash_table.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/addresses.h"

static void add(struct kube_addresses *as, enum kube_kind kind, const char *namespace_,
		const char *name, const char *one, const char *other)
{
	const struct kube_holder h = {.kind = kind, .namespace_ = namespace_, .name = name};
	g_addr addresses[2];
	size_t n = 0;

	if (one)
		assert_true(addresses_parse(one, addresses[n++]));
	if (other)
		assert_true(addresses_parse(other, addresses[n++]));
	assert_true(kube_addresses_set(as, &h, addresses, n));
}

/* name: NAMESPACE/NAME; NULL: it is nobody's. */
static void expect(const struct kube_addresses *as, const char *address, const char *name)
{
	struct kube_holder h;
	char found[200] = "";
	g_addr parsed;

	assert_true(addresses_parse(address, parsed));
	if (kube_addresses_find(as, parsed, &h))
		snprintf(found, sizeof(found), "%s/%s", h.namespace_, h.name);
	assert_string_equal(found, name ?: "");
}

static void test_they_come_and_go(void **state)
{
	struct kube_addresses *as = kube_addresses_new();
	size_t empty = kube_addresses_bytes(as);
	struct kube_holder h;
	g_addr address;

	expect(as, "10.0.0.1", NULL);
	add(as, KUBE_POD, "shop", "web", "10.0.0.1", "fd00::1");
	add(as, KUBE_POD, "bank", "web", "10.0.0.2", NULL);
	add(as, KUBE_SERVICE, "shop", "web", "10.96.0.1", NULL);
	expect(as, "10.0.0.1", "shop/web");
	expect(as, "fd00::1", "shop/web");
	expect(as, "10.0.0.2", "bank/web");
	expect(as, "10.96.0.1", "shop/web");
	expect(as, "10.0.0.3", NULL);
	addresses_parse("10.96.0.1", address);
	assert_true(kube_addresses_find(as, address, &h));
	assert_int_equal(h.kind, KUBE_SERVICE);
	assert_int_equal(h.labels_len, 0);

	add(as, KUBE_POD, "shop", "web", "10.0.0.3", NULL); /* begun anew */
	expect(as, "10.0.0.1", NULL);
	expect(as, "fd00::1", NULL);
	expect(as, "10.0.0.3", "shop/web");
	add(as, KUBE_POD, "shop", "web", NULL, NULL);
	add(as, KUBE_POD, "shop", "never", NULL, NULL);
	expect(as, "10.0.0.3", NULL);
	expect(as, "10.96.0.1", "shop/web");
	add(as, KUBE_POD, "bank", "web", NULL, NULL);
	add(as, KUBE_SERVICE, "shop", "web", NULL, NULL);
	assert_int_equal(kube_addresses_count(as), 0);
	assert_true(kube_addresses_bytes(as) <= empty + 3 * 64 * sizeof(void *));
	kube_addresses_free(as);
}

/* An address of several is not guessed, and is known again when one alone has it. */
static void test_ambiguous(void **state)
{
	struct kube_addresses *as = kube_addresses_new();

	add(as, KUBE_POD, "a", "one", "10.0.0.1", "10.0.0.1");
	expect(as, "10.0.0.1", "a/one");
	add(as, KUBE_POD, "a", "two", "10.0.0.1", NULL);
	expect(as, "10.0.0.1", NULL);
	add(as, KUBE_SERVICE, "a", "two", "10.0.0.1", NULL);
	add(as, KUBE_POD, "a", "one", NULL, NULL);
	expect(as, "10.0.0.1", NULL);
	add(as, KUBE_POD, "a", "two", "10.0.0.2", NULL);
	expect(as, "10.0.0.1", "a/two");
	kube_addresses_free(as);
}

/* A list names all there are, of a kind, and where it is of one namespace, in that. */
static void test_lists(void **state)
{
	struct kube_addresses *as = kube_addresses_new();

	add(as, KUBE_POD, "a", "gone", "10.0.0.1", NULL);
	add(as, KUBE_POD, "a", "stays", "10.0.0.2", NULL);
	add(as, KUBE_POD, "b", "other", "10.0.0.3", NULL);
	add(as, KUBE_SERVICE, "a", "service", "10.0.0.4", NULL);
	kube_addresses_begin(as, KUBE_POD, "a");
	expect(as, "10.0.0.1", "a/gone"); /* until the end */
	add(as, KUBE_POD, "a", "stays", "10.0.0.2", NULL);
	kube_addresses_begin(as, KUBE_POD, "a"); /* it failed, and is begun anew */
	add(as, KUBE_POD, "a", "stays", "10.0.0.2", NULL);
	add(as, KUBE_POD, "a", "new", "10.0.0.5", NULL);
	kube_addresses_end(as, KUBE_POD, "a");
	expect(as, "10.0.0.1", NULL);
	expect(as, "10.0.0.2", "a/stays");
	expect(as, "10.0.0.3", "b/other");
	expect(as, "10.0.0.4", "a/service");
	expect(as, "10.0.0.5", "a/new");
	kube_addresses_begin(as, KUBE_POD, NULL);
	kube_addresses_end(as, KUBE_POD, NULL);
	assert_int_equal(kube_addresses_count(as), 1);
	expect(as, "10.0.0.4", "a/service");
	kube_addresses_free(as);
}

static void test_labels(void **state)
{
	static const char labels[] = "app=web\0tier=front";
	struct kube_holder h = {
		.namespace_ = "a", .name = "one", .labels = labels, .labels_len = sizeof(labels)};
	struct kube_addresses *as = kube_addresses_new();
	struct kube_holder found;
	g_addr address;

	addresses_parse("10.0.0.1", address);
	assert_true(kube_addresses_set(as, &h, &address, 1));
	assert_true(kube_addresses_find(as, address, &found));
	assert_int_equal(found.labels_len, sizeof(labels));
	assert_memory_equal(found.labels, labels, sizeof(labels));
	h.labels_len = sizeof("app=web");
	assert_true(kube_addresses_set(as, &h, &address, 1));
	assert_true(kube_addresses_find(as, address, &found));
	assert_int_equal(found.labels_len, sizeof("app=web"));
	kube_addresses_free(as);
}

/* ---- many of them ----------------------------------------------------------------- */

enum { PODS = 50000, PODS_OF_ONE = 20 };

/* Pods of Deployments: names of usual length, two addresses each, labels that those of one share.
 */
static void fill(struct kube_addresses *as, unsigned int version)
{
	for (uint32_t i = 0; i < PODS; i++) {
		char name[100], namespace_[32], labels[200];
		uint32_t number = i + version * 0x1000000;
		struct kube_holder h = {.namespace_ = namespace_, .name = name, .labels = labels};
		g_addr addresses[2] = {{[10] = 0xff, 0xff}, {0xfd}};

		memcpy(addresses[0] + 12, &number, sizeof(number));
		memcpy(addresses[1] + 12, &number, sizeof(number));
		snprintf(namespace_, sizeof(namespace_), "team-%u", i / 500);
		snprintf(name, sizeof(name), "some-service-of-ours-%u-6d4f8b9c7d-%05x",
			 i / PODS_OF_ONE, i);
		h.labels_len = (size_t)snprintf(labels, sizeof(labels),
						"app.kubernetes.io/name=service-%u%c"
						"pod-template-hash=6d4f8b9c7d",
						i / PODS_OF_ONE, 0) +
			       1;
		assert_true(kube_addresses_set(as, &h, addresses, 2));
	}
}

/* Each takes another address: as many again come and go, and nothing is left of them. */
static void test_memory_of_50000_pods(void **state)
{
	struct kube_addresses *as = kube_addresses_new();
	size_t bytes;

	fill(as, 0);
	bytes = kube_addresses_bytes(as);
	print_message("%d pods of two addresses take %.1f MB\n", PODS, (double)bytes / 1e6);
	assert_int_equal(kube_addresses_count(as), PODS);
	assert_true(bytes < 15000000);
	fill(as, 1);
	assert_int_equal(kube_addresses_count(as), PODS);
	assert_true(kube_addresses_bytes(as) <= bytes + 4096);
	kube_addresses_begin(as, KUBE_POD, NULL);
	kube_addresses_end(as, KUBE_POD, NULL);
	assert_int_equal(kube_addresses_count(as), 0);
	kube_addresses_free(as);
}

/* What has no room is refused; what is known already may change. */
static void test_too_many(void **state)
{
	struct kube_addresses *as = kube_addresses_new();
	struct kube_holder h = {.namespace_ = "a"};
	g_addr address = {0};
	char name[20];

	h.name = name;
	for (uint32_t i = 0; i <= MAX_KUBE_HOLDERS; i++) {
		snprintf(name, sizeof(name), "%u", i);
		memcpy(address, &i, sizeof(i));
		assert_int_equal(kube_addresses_set(as, &h, &address, 1), i < MAX_KUBE_HOLDERS);
	}
	assert_int_equal(kube_addresses_count(as), MAX_KUBE_HOLDERS);
	snprintf(name, sizeof(name), "7");
	assert_true(kube_addresses_set(as, &h, &address, 1));
	kube_addresses_free(as);
}

/* ---- the table below --------------------------------------------------------------- */

struct thing {
	struct hash_link link;
	int number;
};

static void test_hash_table(void **state)
{
	struct hash_table t = {0};
	struct thing things[1000];
	struct hash_link *l;

	assert_null(hash_first(&t, 7));
	for (int i = 0; i < 1000; i++) { /* 10 of each hash, all in few chains */
		things[i].number = i;
		hash_add(&t, &things[i].link, (uint64_t)(i % 100) << 32);
	}
	for (int i = 0; i < 1000; i += 2)
		hash_remove(&t, &things[i].link);
	assert_int_equal(t.n, 500);
	for (int i = 0; i < 100; i++) {
		int n = 0;

		for (l = hash_first(&t, (uint64_t)i << 32); l; l = hash_next(l)) {
			assert_int_equal(container_of(l, struct thing, link)->number % 100, i);
			n++;
		}
		assert_int_equal(n, i % 2 ? 10 : 0);
	}
	hash_done(&t);
	assert_int_not_equal(hash_bytes(0, "ab", 2), hash_bytes(0, "ba", 2));
	assert_int_not_equal(hash_bytes(1, "ab", 2), hash_bytes(0, "ab", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_they_come_and_go),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_memory_of_50000_pods),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_hash_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
