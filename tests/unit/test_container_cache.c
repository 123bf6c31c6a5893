// SPDX-License-Identifier: Apache-2.0
/* Containers by their bytes: found again as the cache grows, never another's, and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/decoder.h"

static void make_key(unsigned int n, struct buf *key)
{
	buf_clear(key);
	buf_printf(key, "container %u of a node", n);
}

static void add(struct container_cache *c, unsigned int n, struct buf *key)
{
	struct container *container = container_new();

	make_key(n, key);
	container->key = n;
	container_cache_add(c, key, container);
}

/* How many of the first n are there; each that is found is the one that was added. */
static unsigned int found(struct container_cache *c, unsigned int n, struct buf *key)
{
	unsigned int there = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct container *container;

		make_key(i, key);
		container = container_cache_find(c, key);
		if (container)
			assert_int_equal(container->key, i);
		there += container != NULL;
	}
	return there;
}

static void test_grows(void **state)
{
	_cleanup_(buf_done) struct buf key = {.max = 256};
	struct container_cache *c = container_cache_new();

	for (unsigned int n = 0; n < 110; n++) {
		add(c, n, &key);
		assert_int_equal(container_cache_find(c, &key)->key, n);
	}
	assert_in_range(found(c, 110, &key), 100, 110);
	container_cache_free(c);
}

static void test_is_bounded(void **state)
{
	_cleanup_(buf_done) struct buf key = {.max = 256};
	struct container_cache *c = container_cache_new();

	for (unsigned int n = 0; n < 20000; n++)
		add(c, n, &key);
	assert_in_range(found(c, 20000, &key), 1024, 2048);
	assert_non_null(container_cache_find(c, &key)); /* the last one */
	container_cache_free(c);
}

/* What is very long is kept until the next one that is. */
static void test_long_ones(void **state)
{
	_cleanup_(buf_done) struct buf a = {.max = 65536}, b = {.max = 65536};
	struct container_cache *c = container_cache_new();

	for (unsigned int i = 0; i < 20000; i++) {
		buf_char(&a, 'a');
		buf_char(&b, 'b');
	}
	container_cache_add(c, &a, container_new());
	assert_non_null(container_cache_find(c, &a));
	assert_null(container_cache_find(c, &b));
	container_cache_add(c, &b, container_new());
	assert_null(container_cache_find(c, &a));
	container_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_is_bounded),
		cmocka_unit_test(test_long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
