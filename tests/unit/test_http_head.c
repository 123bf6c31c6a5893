// SPDX-License-Identifier: Apache-2.0
/* Heads of HTTP/1.x as trace_http reads them: whole, cut anywhere, and not as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../gadgets/trace_http/head.h"
#include "base/mem.h"

static void assert_text(struct head_text t, const char *expected)
{
	assert_int_equal(t.n, strlen(expected));
	assert_memory_equal(t.bytes ?: "", expected, t.n);
}

static void assert_first(const struct http_head *h, const char *a, const char *b, const char *c)
{
	assert_text(h->first[0], a);
	assert_text(h->first[1], b);
	assert_text(h->first[2], c);
}

static void test_request(void **state)
{
	static const char head[] =
		"POST /a?b=c HTTP/1.1\r\nHOST:\t x.example \r\nContent-type: a/b\r\n"
		"X-Host: no\r\ncontent-length:12\r\nHost: second\r\n\r\nHost: body";
	struct http_head h;

	head_read_request(head, sizeof(head) - 1, &h);
	assert_first(&h, "POST", "/a?b=c", "HTTP/1.1");
	assert_text(h.host, "x.example");
	assert_text(h.content_type, "a/b");
	assert_text(h.content_length, "12");
	assert_false(h.first[1].cut || h.host.cut);
}

static void test_answer(void **state)
{
	static const char head[] = "HTTP/1.1 404 Not Found\nContent-Type: text/html; a=b\n\n";
	struct http_head h;

	head_read_answer(head, sizeof(head) - 1, &h);
	assert_first(&h, "HTTP/1.1", "404", "Not Found");
	assert_text(h.content_type, "text/html; a=b");
	head_read_answer("HTTP/1.1 204\r\n\r\n", 16, &h);
	assert_first(&h, "HTTP/1.1", "204", "");
}

static void test_blanks_in_a_path(void **state)
{
	static const char head[] = "GET /a b  HTTP/1.1\r\n :\r\nHost\r\n";
	struct http_head h;

	head_read_request(head, sizeof(head) - 1, &h);
	assert_first(&h, "GET", "/a b ", "HTTP/1.1");
	assert_null(h.host.bytes);
}

/* In memory of its own, so that a byte too far is seen. */
static void test_cut(void **state)
{
	static const char whole[] = "GET /path HTTP/1.1\r\nHost: x.example\r\n\r\n";

	for (size_t n = 0; n < sizeof(whole); n++) {
		_cleanup_(freep) char *head = n ? xcalloc(n, 1) : NULL;
		struct http_head h;

		if (n)
			memcpy(head, whole, n);
		head_read_request(head, n, &h);
		if (n > 4 && n < sizeof("GET /path HTTP/1.1\r\n") - 1)
			assert_true(h.first[1].cut);
		if (n == sizeof("GET /path HTTP/1.1\r\nHost: x") - 1)
			assert_true(h.host.cut && h.host.n == 1 && !h.first[1].cut);
		head_read_answer(head, n, &h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_blanks_in_a_path),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
