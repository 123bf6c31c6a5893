// SPDX-License-Identifier: Apache-2.0
/* Requests of HTTP/1.1: query, form, what is cut off, too long, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "net/http_request.h"

static int read_text(const char *text, struct http_request *q)
{
	return http_request_read(text, strlen(text), q);
}

static void test_query(void **state)
{
	struct http_request q;

	assert_int_equal(
		read_text("GET /dump?id=12&name=a%20b+c%2F&x HTTP/1.1\r\nHost: x\r\n\r\n", &q), 0);
	assert_string_equal(q.path, "/dump");
	assert_string_equal(http_parameter(&q, "id"), "12");
	assert_string_equal(http_parameter(&q, "name"), "a b c/");
	assert_string_equal(http_parameter(&q, "x"), "");
	assert_null(http_parameter(&q, "y"));
	http_request_done(&q);
}

static void test_form(void **state)
{
	static const char text[] =
		"POST /add?name=one HTTP/1.0\ncontent-length:  14 \n\nname=two&id=5%31";
	struct http_request q;

	for (size_t n = 0; n < sizeof(text) - 3; n++)
		assert_int_equal(http_request_read(text, n, &q), 1);
	assert_int_equal(http_request_read(text, sizeof(text) - 3, &q), -EBADMSG); /* "id=5%" */
	assert_int_equal(
		read_text("POST /add?name=one HTTP/1.1\r\nContent-Length: 8\r\n\r\nname=two", &q),
		0);
	assert_string_equal(http_parameter(&q, "name"), "two");
	http_request_done(&q);
}

static void test_none(void **state)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n",
		"GET dump HTTP/1.1\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET / SPDY/1.1\r\n\r\n",
		"GET /%0 HTTP/1.1\r\n\r\n",
		"GET /%zz HTTP/1.1\r\n\r\n",
		"GET /%00 HTTP/1.1\r\n\r\n",
		"GET /?a=%00 HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	struct http_request q;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(read_text(bad[i], &q), -EBADMSG);
}

static void test_too_long(void **state)
{
	size_t n = MAX_HTTP_REQUEST_BYTES;
	char *bytes = malloc(n + 1);
	struct http_request q;

	memset(bytes, 'a', n);
	assert_int_equal(http_request_read(bytes, n - 1, &q), 1);
	assert_int_equal(http_request_read(bytes, n, &q), -EMSGSIZE);
	free(bytes);
	assert_int_equal(read_text("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", &q),
			 -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
