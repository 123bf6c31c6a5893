// SPDX-License-Identifier: Apache-2.0
/* net/grpc: what a call sends, and what it makes of answers. */
#include "grpc_script.h"

/* ---- what we send ---------------------------------------------------------------- */

static void test_request(void **state)
{
	const struct grpc_metadata metadata[] = {{"containerd-namespace", "k8s.io"}};
	const struct grpc_request q = {
		.method = "/runtime.v1.RuntimeService/Version",
		.metadata = metadata,
		.n_metadata = 1,
		.bytes = "abc",
		.len = 3,
		.deadline_ns = 2500 * MS,
	};
	static const char *const wanted[] = {
		"<4:0 ", /* settings come first */
		":method: POST\n:scheme: http\n:path: /runtime.v1.RuntimeService/Version\n",
		"\n:authority: localhost\n",
		"\nte: trailers\n",
		"\ngrpc-timeout: 2500000u\n",
		"\ncontent-type: application/grpc\n",
		"\nuser-agent: ig/",
		"\ncontainerd-namespace: k8s.io\n",
	};
	_cleanup_(buf_done) struct buf got = {.max = 1 << 20};
	struct call c = {0};
	struct peer p;

	setup(&p);
	call_with(&p, &c, &q, false);
	read_frames(&p, &got);
	for (size_t i = 0; i < array_size(wanted); i++)
		assert_non_null(strstr(buf_cstr(&got), wanted[i]));
	assert_ptr_equal(strstr(buf_cstr(&got), "<4:0 "), got.data);
	assert_memory_equal(got.data + got.len - 13, "<0:1 \0\0\0\0\3abc", 13);
	put_settings(&p.out);
	answer(&p.out, 1, "done");
	flush(&p);
	expect_messages(&c, "done,");
	assert_int_equal(p.broken, 0);
	teardown(&p);
}

static void test_timeouts(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{1, "1n"},
		{99999999, "99999999n"},
		{100000000, "100000u"},
		{1000000001, "1000001u"},
		{99999999000, "99999999u"},
		{99999999001, "100000m"},
		{3600 * 1000000000ull * 1000000, "60000000M"},
		{UINT64_MAX, "5124096H"},
	};
	char text[GRPC_TIMEOUT_BYTES];

	for (size_t i = 0; i < array_size(cases); i++) {
		grpc_put_timeout(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_percent(void **state)
{
	static const char *const cases[][2] = {
		{"plain", "plain"}, {"100%25", "100%"}, {"%c3%A4%0A", "\xc3\xa4\n"},
		{"%", "%"},	    {"%4", "%4"},	{"%zz%4z", "%zz%4z"},
		{"%%41", "%A"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_cleanup_(buf_done) struct buf out = {.max = 100};

		grpc_percent_decode(cases[i][0], strlen(cases[i][0]), &out);
		assert_string_equal(buf_cstr(&out), cases[i][1]);
	}
}

/* ---- answers --------------------------------------------------------------------- */

/* Cut at every byte, and byte by byte. */
static void test_splits(void **state)
{
	_cleanup_(buf_done) struct buf script = {.max = 4096};

	put_settings(&script);
	answer(&script, 1, "whole");
	for (size_t cut = 0; cut <= script.len; cut++) {
		struct call c = {0};
		struct peer p;

		setup(&p);
		call(&p, &c);
		dispatch(&p);
		for (size_t i = 0; !cut && i < script.len; i++) {
			send_bytes(&p, script.data + i, 1);
			dispatch(&p);
		}
		send_bytes(&p, script.data, cut);
		dispatch(&p);
		if (cut)
			send_bytes(&p, script.data + cut, script.len - cut);
		expect_messages(&c, "whole,");
		teardown(&p);
	}
}

#define M(text) "\0\0\0\0" text

struct data {
	const char *headers, *bytes;
	size_t n;
	const char *trailers;
	enum grpc_status status;
	const char *text;
};

static const struct data unary[] = {
	{GRPC, M("\5hello"), 10, "grpc-status: 0\n", GRPC_OK, ""},
	{GRPC, M("\0"), 5, "grpc-status: 0\n", GRPC_OK, ""},
	{":status: 200\ncontent-type: application/grpc+proto\n", M("\1x"), 6, "grpc-status: 0\n",
	 GRPC_OK, ""},
	/* Errors of the server's. */
	{GRPC "grpc-status: 5\ngrpc-message: no 100%25 %C3%A4\n", NULL, 0, NULL, GRPC_NOT_FOUND,
	 "no 100% \xc3\xa4"},
	{GRPC, NULL, 0, "grpc-status: 16\n", GRPC_UNAUTHENTICATED, ""},
	{GRPC, M("\1x"), 6, "grpc-status: 8\ngrpc-message: full\n", GRPC_RESOURCE_EXHAUSTED,
	 "full"},
	{GRPC, NULL, 0, "grpc-status: 17\n", GRPC_UNKNOWN, ""},
	{GRPC, NULL, 0, "grpc-status: 999999999999\n", GRPC_UNKNOWN, ""},
	{GRPC, NULL, 0, "grpc-status: -1\n", GRPC_UNKNOWN, ""},
	{GRPC, NULL, 0, "grpc-status: \n", GRPC_UNKNOWN, ""},
	{":status: 503\ngrpc-status: 7\n", NULL, 0, NULL, GRPC_PERMISSION_DENIED, ""},
	/* No gRPC. */
	{":status: 503\n", NULL, 0, NULL, GRPC_UNAVAILABLE, "HTTP status is 503"},
	{":status: 404\ncontent-type: text/html\n", "<html>", 6, NULL, GRPC_UNIMPLEMENTED, "404"},
	{":status: 401\n", NULL, 0, NULL, GRPC_UNAUTHENTICATED, "401"},
	{":status: 403\n", NULL, 0, NULL, GRPC_PERMISSION_DENIED, "403"},
	{":status: 400\n", NULL, 0, NULL, GRPC_INTERNAL, "400"},
	{":status: 500\n", NULL, 0, NULL, GRPC_UNKNOWN, "500"},
	{":status: 200\ncontent-type: text/html\n", "<html>", 6, NULL, GRPC_UNKNOWN, "not gRPC"},
	{":status: 200\ncontent-type: application/grpc-web\n", "", 0, NULL, GRPC_UNKNOWN,
	 "not gRPC"},
	/* Broken. */
	{GRPC, NULL, 0, NULL, GRPC_UNKNOWN, "without a status"},
	{GRPC, NULL, 0, "grpc-status: 0\n", GRPC_INTERNAL, "no message"},
	{GRPC, M("\1xy"), 7, "grpc-status: 0\n", GRPC_INTERNAL, "within a message"},
	{GRPC, M("\5hell"), 9, "grpc-status: 0\n", GRPC_INTERNAL, "within a message"},
	{GRPC, M("\1x") M("\1y"), 12, "grpc-status: 0\n", GRPC_INTERNAL, "more than one"},
	{GRPC, "\1\0\0\0\1x", 6, "grpc-status: 0\n", GRPC_INTERNAL, "compressed"},
	{GRPC "grpc-encoding: gzip\n", "\1\0\0\0\1x", 6, NULL, GRPC_INTERNAL, "compressed"},
	{GRPC, M("\x65"), 5, NULL, GRPC_RESOURCE_EXHAUSTED, "more than the 100 bytes"},
	{GRPC, "\0\xff\xff\xff\xff", 5, NULL, GRPC_RESOURCE_EXHAUSTED, "more than the 100 bytes"},
	{"content-type: application/grpc\n", NULL, 0, NULL, GRPC_INTERNAL, "PROTOCOL_ERROR"},
	{":status: 2x0\n", NULL, 0, NULL, GRPC_INTERNAL, "PROTOCOL_ERROR"},
};

static void test_unary(void **state)
{
	for (size_t i = 0; i < array_size(unary); i++) {
		const struct data *d = &unary[i];
		struct call c = {0}, next = {0};
		struct peer p;

		setup(&p);
		call(&p, &c);
		dispatch(&p);
		put_settings(&p.out);
		put_headers(&p.out, 1, d->headers, !d->bytes && !d->trailers);
		if (d->bytes)
			put_frame(&p.out, NGHTTP2_DATA, d->trailers ? 0 : NGHTTP2_FLAG_END_STREAM,
				  1, d->bytes, d->n);
		if (d->trailers)
			put_headers(&p.out, 1, d->trailers, true);
		flush(&p);
		expect(&c, d->status, d->text);
		/* The channel is as good as before. */
		call(&p, &next);
		dispatch(&p);
		answer(&p.out, 3, "next");
		flush(&p);
		expect_messages(&next, "next,");
		teardown(&p);
	}
}

static void test_resets(void **state)
{
	static const enum grpc_status wanted[] = {
		GRPC_INTERNAL,		GRPC_INTERNAL, GRPC_INTERNAL, GRPC_INTERNAL,
		GRPC_INTERNAL,		GRPC_UNKNOWN,  GRPC_INTERNAL, GRPC_UNAVAILABLE,
		GRPC_CANCELLED,		GRPC_INTERNAL, GRPC_INTERNAL, GRPC_RESOURCE_EXHAUSTED,
		GRPC_PERMISSION_DENIED, GRPC_UNKNOWN,  GRPC_UNKNOWN,
	};
	struct peer p;

	setup(&p);
	put_settings(&p.out);
	for (size_t i = 0; i < array_size(wanted); i++) {
		struct call c = {0};

		call(&p, &c);
		dispatch(&p);
		put_headers(&p.out, (uint32_t)(1 + 2 * i), GRPC, false);
		put_reset(&p.out, (uint32_t)(1 + 2 * i), (uint32_t)i);
		flush(&p);
		expect(&c, wanted[i], "the call was reset: ");
	}
	assert_int_equal(p.broken, 0);
	teardown(&p);
}

/* A call's headers are bounded, whether they come with one frame or several. */
static void test_header_flood(void **state)
{
	_cleanup_(buf_done) struct buf headers = {.max = 1 << 20};
	struct call c = {0}, next = {0};
	struct peer p;

	buf_str(&headers, GRPC);
	for (int i = 0; i < 35; i++)
		buf_printf(&headers, "a: %02000d\n", i);
	setup(&p);
	call(&p, &c);
	dispatch(&p);
	put_settings(&p.out);
	put_headers(&p.out, 1, buf_cstr(&headers), false);
	flush(&p);
	expect(&c, GRPC_RESOURCE_EXHAUSTED, "65536 bytes of headers");
	call(&p, &next);
	dispatch(&p);
	answer(&p.out, 3, "next");
	flush(&p);
	expect_messages(&next, "next,");
	teardown(&p);
}

static void test_stream(void **state)
{
	struct call c = {0}, bad = {0}, none = {0};
	struct peer p;

	setup(&p);
	call_with(&p, &c, &plain, true);
	call_with(&p, &bad, &plain, true);
	call_with(&p, &none, &plain, true);
	dispatch(&p);
	put_settings(&p.out);
	put_headers(&p.out, 1, GRPC, false);
	put_frame(&p.out, NGHTTP2_DATA, 0, 1, M("\3one") M("\0") M("\3tw"), 20);
	put_headers(&p.out, 3, GRPC, false);
	put_message(&p.out, 3, "before");
	put_headers(&p.out, 5, GRPC, false);
	put_headers(&p.out, 5, "grpc-status: 0\n", true);
	flush(&p);
	dispatch(&p);
	assert_string_equal(buf_cstr(&c.messages), "one,,");
	put_frame(&p.out, NGHTTP2_DATA, 0, 1, "o", 1);
	put_headers(&p.out, 1, "grpc-status: 0\n", true);
	put_headers(&p.out, 3, "grpc-status: 11\ngrpc-message: end\n", true);
	flush(&p);
	expect_messages(&c, "one,,two,");
	run(&bad);
	assert_string_equal(buf_cstr(&bad.messages), "before,");
	expect(&bad, GRPC_OUT_OF_RANGE, "end");
	expect_messages(&none, "");
	teardown(&p);
}

/* ---- callbacks that do things ---------------------------------------------------- */

static void three_messages(struct peer *p, struct call *c)
{
	call_with(p, c, &plain, true);
	dispatch(p);
	put_settings(&p->out);
	put_headers(&p->out, 1, GRPC, false);
	put_message(&p->out, 1, "one");
	put_frame(&p->out, NGHTTP2_DATA, 0, 1, M("\3two") M("\5three"), 18);
	put_headers(&p->out, 1, "grpc-status: 0\n", true);
	flush(p);
}

static void test_callbacks(void **state)
{
	struct call c = {.at_message = cancel_self};
	struct peer p;

	setup(&p);
	three_messages(&p, &c);
	dispatch(&p);
	assert_int_equal(c.done, 0);
	assert_string_equal(buf_cstr(&c.messages), "one,");
	buf_done(&c.messages);
	teardown(&p);

	c = (struct call){.at_message = free_channel};
	setup(&p);
	three_messages(&p, &c);
	run(&c);
	assert_string_equal(buf_cstr(&c.messages), "one,");
	expect(&c, GRPC_CANCELLED, "closed");
	teardown(&p);

	c = (struct call){.at_message = call_another, .then = cancel_self};
	setup(&p);
	call(&p, &c);
	dispatch(&p);
	put_settings(&p.out);
	answer(&p.out, 1, "one");
	flush(&p);
	expect_messages(&c, "one,");
	answer(&p.out, 3, "two");
	flush(&p);
	expect_messages(&another, "two,");
	teardown(&p);

	c = (struct call){.then = free_channel};
	setup(&p);
	call(&p, &c);
	another = (struct call){0};
	call(&p, &another);
	dispatch(&p);
	put_settings(&p.out);
	answer(&p.out, 1, "one");
	answer(&p.out, 3, "two");
	flush(&p);
	expect_messages(&c, "one,");
	expect(&another, GRPC_CANCELLED, "closed");
	teardown(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),	     cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_percent),	     cmocka_unit_test(test_splits),
		cmocka_unit_test(test_unary),	     cmocka_unit_test(test_resets),
		cmocka_unit_test(test_header_flood), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
