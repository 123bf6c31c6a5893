// SPDX-License-Identifier: Apache-2.0
/* Addresses of network namespaces, as the kernel writes them and as it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "containers/addresses.h"

static void expect(const struct address_list *list, size_t i, const char *address)
{
	g_addr want = {[10] = 0xff, 0xff};

	assert_true(i < list->n);
	if (inet_pton(AF_INET, address, want + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, address, want), 1);
	assert_memory_equal(list->items[i], want, sizeof(want));
}

static const char trie[] = "Main:\n"
			   "  +-- 0.0.0.0/0 3 0 5\n"
			   "     +-- 10.99.0.0/24 2 0 2\n"
			   "        |-- 10.99.0.0\n"
			   "           /24 link UNICAST\n"
			   "        |-- 10.99.0.2\n"
			   "           /32 host LOCAL\n"
			   "        |-- 10.99.0.255\n"
			   "           /32 link BROADCAST\n"
			   "     |-- 127.0.0.1\n"
			   "        /32 host LOCAL\n"
			   "Local:\n"
			   "        |-- 10.99.0.2\n"
			   "           /32 host LOCAL\n"
			   "     |-- 192.168.100.200\n"
			   "        /32 host LOCAL\n";

static void of_ipv4(void **state)
{
	struct address_list list = {0};

	addresses_parse_fib_trie(trie, &list);
	assert_int_equal(list.n, 2);
	expect(&list, 0, "10.99.0.2");
	expect(&list, 1, "192.168.100.200");
	free(list.items);
}

static void of_ipv6(void **state)
{
	struct address_list list = {0};

	addresses_parse_if_inet6("00000000000000000000000000000001 01 80 10 80       lo\n"
				 "fd990000000000000000000000000001 02 40 00 80     eth0\n"
				 "fe80000000000000001122fffe334455 02 40 20 80     eth0\n",
				 &list);
	assert_int_equal(list.n, 2);
	expect(&list, 0, "fd99::1");
	expect(&list, 1, "fe80::11:22ff:fe33:4455");
	free(list.items);
}

static void malformed(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"|-- ",
		"|-- 1.2.3\n/32 host LOCAL",
		"|-- 1111.2222.3333.4444.5555.6666\n/32 host LOCAL\n",
		"/32 host LOCAL",
		"fd99",
		"fd9900000000000000000000000000",
		"fd990000000000000000000000000001f 02 40 00 80 eth0\n",
		"FD990000000000000000000000000001 02",
		"gg990000000000000000000000000001 02",
	};
	struct address_list list = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		addresses_parse_fib_trie(texts[i], &list);
		addresses_parse_if_inet6(texts[i], &list);
	}
	assert_int_equal(list.n, 0);
}

/* Cut anywhere: under ASan no byte behind the text is read. */
static void cut(void **state)
{
	for (size_t n = 0; n < sizeof(trie); n++) {
		struct address_list list = {0};
		char *text = strndup(trie, n);

		addresses_parse_fib_trie(text, &list);
		addresses_parse_if_inet6(text, &list);
		assert_true(list.n <= 2);
		free(list.items);
		free(text);
	}
}

static void too_many(void **state)
{
	struct buf text = {.max = 1 << 20};
	struct address_list list = {0};

	for (unsigned int i = 0; i < 2 * MAX_ADDRESSES; i++)
		buf_printf(&text, "fd99000000000000000000000000%04x 02 40 00 80 eth0\n", i);
	addresses_parse_if_inet6(buf_cstr(&text), &list);
	assert_int_equal(list.n, MAX_ADDRESSES);
	free(list.items);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_ipv4), cmocka_unit_test(of_ipv6),  cmocka_unit_test(malformed),
		cmocka_unit_test(cut),	   cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
