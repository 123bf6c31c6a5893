// SPDX-License-Identifier: Apache-2.0
/* net/grpc, net/h2: connections that break, deadlines, limits. */
#include "grpc_script.h"

/* ---- the end of a connection ----------------------------------------------------- */

static void test_lost(void **state)
{
	struct call c = {0}, other = {0}, late = {0};
	struct peer p;

	setup(&p);
	call(&p, &c);
	call_with(&p, &other, &plain, true);
	dispatch(&p);
	put_settings(&p.out);
	put_headers(&p.out, 1, GRPC, false);
	flush(&p);
	dispatch(&p);
	shutdown(p.fd, SHUT_RDWR);
	expect(&c, GRPC_UNAVAILABLE, "closed the connection");
	expect(&other, GRPC_UNAVAILABLE, "closed the connection");
	assert_int_equal(p.broken, 1);
	assert_int_equal(p.err.code, -ECONNRESET);
	call(&p, &late);
	expect(&late, GRPC_UNAVAILABLE, "closed the connection");
	assert_int_equal(p.broken, 1);
	teardown(&p);

	/* A done that asks again at once ends nevertheless. */
	c = (struct call){.then = call_another};
	setup(&p);
	call(&p, &c);
	shutdown(p.fd, SHUT_RDWR);
	expect(&c, GRPC_UNAVAILABLE, "");
	expect(&another, GRPC_UNAVAILABLE, "");
	teardown(&p);

	/* Freed by its owner when it breaks. */
	c = (struct call){0};
	setup(&p);
	p.frees = true;
	call(&p, &c);
	dispatch(&p);
	shutdown(p.fd, SHUT_RDWR);
	expect(&c, GRPC_CANCELLED, "");
	teardown(&p);
}

static void test_not_http2(void **state)
{
	static const char *const scripts[] = {
		"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"\x15\x03\x01\x02\x02garbage",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	};

	for (size_t i = 0; i < array_size(scripts); i++) {
		struct call c = {0};
		struct peer p;

		setup(&p);
		call(&p, &c);
		dispatch(&p);
		send_bytes(&p, scripts[i], strlen(scripts[i]));
		expect(&c, GRPC_UNAVAILABLE, "HTTP/2: ");
		assert_int_equal(p.broken, 1);
		teardown(&p);
	}
}

static void test_goaway(void **state)
{
	struct call first = {0}, second = {0}, late = {0};
	struct peer p;

	setup(&p);
	call(&p, &first);
	call(&p, &second);
	dispatch(&p);
	put_settings(&p.out);
	put_goaway(&p.out, 1, NGHTTP2_NO_ERROR, "bye");
	flush(&p);
	expect(&second, GRPC_UNAVAILABLE, "NO_ERROR bye");
	assert_int_equal(p.broken, 1);
	assert_int_equal(p.err.code, -ESHUTDOWN);
	call(&p, &late);
	expect(&late, GRPC_UNAVAILABLE, "NO_ERROR bye");
	assert_int_equal(first.done, 0);
	answer(&p.out, 1, "yet"); /* what the server had begun it may end */
	flush(&p);
	expect_messages(&first, "yet,");
	shutdown(p.fd, SHUT_RDWR);
	dispatch(&p);
	assert_int_equal(p.broken, 1);
	teardown(&p);

	/* Freed at once, from within nghttp2. */
	first = (struct call){0};
	setup(&p);
	p.frees = true;
	call(&p, &first);
	dispatch(&p);
	put_settings(&p.out);
	put_goaway(&p.out, 1, NGHTTP2_ENHANCE_YOUR_CALM, "");
	answer(&p.out, 1, "unheard");
	flush(&p);
	expect(&first, GRPC_CANCELLED, "");
	assert_non_null(strstr(p.err.text, "ENHANCE_YOUR_CALM"));
	teardown(&p);
}

/* Calls that wait for their turn do not wait for ever. */
static void test_goaway_while_waiting(void **state)
{
	static const char one[] = {0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0, 0, 0, 1};
	struct call running = {0}, waiting = {0};
	struct peer p;

	setup(&p);
	put_frame(&p.out, NGHTTP2_SETTINGS, 0, 0, one, sizeof(one));
	flush(&p);
	dispatch(&p);
	call(&p, &running);
	call(&p, &waiting);
	dispatch(&p);
	put_goaway(&p.out, INT32_MAX, NGHTTP2_NO_ERROR, "");
	flush(&p);
	expect(&waiting, GRPC_UNAVAILABLE, "closes the connection");
	assert_int_equal(running.done, 0);
	answer(&p.out, 1, "one");
	flush(&p);
	expect_messages(&running, "one,");
	teardown(&p);
}

/* ---- deadlines and limits -------------------------------------------------------- */

static void test_deadline(void **state)
{
	const struct grpc_request q = {.method = "/a.B/C", .deadline_ns = 20 * MS};
	_cleanup_(buf_done) struct buf got = {.max = 1 << 20};
	struct call c = {0}, cancelled = {0};
	struct peer p;

	setup(&p);
	call_with(&p, &c, &q, false);
	call(&p, &cancelled);
	dispatch(&p);
	put_settings(&p.out);
	put_headers(&p.out, 1, GRPC, false);
	flush(&p);
	assert_null(grpc_call_cancel(cancelled.call));
	assert_null(grpc_call_cancel(NULL));
	expect(&c, GRPC_DEADLINE_EXCEEDED, "within 20 ms");
	read_frames(&p, &got);
	assert_non_null(memmem(got.data, got.len, "<3:1 ", 5)); /* the server is told of both */
	assert_non_null(memmem(got.data, got.len, "<3:3 ", 5));
	answer(&p.out, 3, "too late");
	flush(&p);
	dispatch(&p);
	assert_int_equal(cancelled.done, 0);
	buf_done(&cancelled.messages);
	assert_int_equal(p.broken, 0);
	teardown(&p);
}

static void test_bad_requests(void **state)
{
	static const struct grpc_metadata bad[] = {
		{"Upper", "x"}, {"a b", "x"}, {":path", "/"}, {"a", "x\r\ny: z"}, {"", "x"},
	};
	_cleanup_(freep) char *big = xcalloc(1, MAX_GRPC_MESSAGE_BYTES + 1);
	struct grpc_request q = plain;
	struct peer p;

	setup(&p);
	for (size_t i = 0; i < array_size(bad); i++) {
		struct call c = {0};

		q.metadata = &bad[i];
		q.n_metadata = 1;
		call_with(&p, &c, &q, false);
		expect(&c, GRPC_INVALID_ARGUMENT, "");
	}
	q = (struct grpc_request){
		.method = "/a.B/C", .bytes = big, .len = MAX_GRPC_MESSAGE_BYTES + 1};
	for (int i = 0; i < 2; i++) {
		struct call c = {0};

		call_with(&p, &c, &q, i);
		expect(&c, GRPC_RESOURCE_EXHAUSTED, "too long");
	}
	assert_int_equal(p.broken, 0);
	teardown(&p);
}

static void test_bad_descriptor(void **state)
{
	struct grpc_channel *ch = NULL;
	struct reactor *r = NULL;
	struct err err = {0};

	assert_int_equal(reactor_new(&r, NULL), 0);
	assert_int_equal(grpc_channel_new(r, -1, NULL, &ch, &err), -EBADF);
	assert_true(err.text[0]);
	assert_null(ch);
	assert_null(grpc_channel_free(NULL));
	reactor_free(r);
}

/* The server answers before it has read a long request: the rest is not sent. */
static void test_early_answer(void **state)
{
	_cleanup_(freep) char *big = xcalloc(1, 1 << 20);
	const struct grpc_request q = {.method = "/a.B/C", .bytes = big, .len = 1 << 20};
	struct call c = {0}, next = {0};
	struct peer p;

	setup(&p);
	call_with(&p, &c, &q, false);
	dispatch(&p);
	put_settings(&p.out);
	put_headers(&p.out, 1, GRPC "grpc-status: 7\n", true);
	flush(&p);
	expect(&c, GRPC_PERMISSION_DENIED, "");
	call(&p, &next);
	dispatch(&p);
	answer(&p.out, 3, "next");
	flush(&p);
	expect_messages(&next, "next,");
	teardown(&p);
}

/* Nobody reads: what waits is bounded, also where calls are given up and made anew. */
static void test_deaf(void **state)
{
	struct call c = {0};
	struct peer p;

	setup(&p);
	for (int i = 0; i < MAX_GRPC_WAITING + 10; i++) {
		struct call given_up = {0};

		call(&p, &given_up);
		grpc_call_cancel(given_up.call);
	}
	call(&p, &c);
	expect(&c, GRPC_RESOURCE_EXHAUSTED, "too many calls");
	teardown(&p);
}

static void test_many(void **state)
{
	enum { N = 500 };
	_cleanup_(freep) struct call *calls = xnew_n(struct call, N);
	struct peer p;
	char text[20];

	setup(&p);
	put_settings(&p.out);
	for (int i = 0; i < N; i++)
		call(&p, &calls[i]);
	flush(&p);
	dispatch(&p);
	for (int i = N - 1; i >= 0; i--) {
		snprintf(text, sizeof(text), "%d", i);
		answer(&p.out, (uint32_t)(1 + 2 * i), text);
	}
	flush(&p);
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "%d,", i);
		expect_messages(&calls[i], text);
	}
	teardown(&p);
}

/* Answers that never become whole: all of a channel's together are bounded. */
static void test_held(void **state)
{
	enum { N = 5, FRAMES = 960 }; /* 15 MiB each */
	_cleanup_(freep) char *bytes = xcalloc(1, 16384);
	struct call calls[N] = {0};
	struct peer p;
	int refused = 0;

	setup_with(&p, 0);
	put_settings(&p.out);
	for (int i = 0; i < N; i++)
		call(&p, &calls[i]);
	flush(&p);
	dispatch(&p);
	for (int i = 0; i < N; i++) {
		put_headers(&p.out, (uint32_t)(1 + 2 * i), GRPC, false);
		put_frame(&p.out, NGHTTP2_DATA, 0, (uint32_t)(1 + 2 * i), "\0\1\0\0\0", 5);
		for (int f = 0; f < FRAMES && !calls[i].done; f++) {
			put_frame(&p.out, NGHTTP2_DATA, 0, (uint32_t)(1 + 2 * i), bytes, 16384);
			flush(&p);
			dispatch(&p);
		}
		refused += calls[i].done && calls[i].status == GRPC_RESOURCE_EXHAUSTED;
	}
	assert_int_equal(refused, 1);
	assert_int_equal(p.broken, 0);
	teardown(&p);
	for (int i = 0; i < N; i++) {
		assert_int_equal(calls[i].done, 1);
		buf_done(&calls[i].messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost),	       cmocka_unit_test(test_not_http2),
		cmocka_unit_test(test_goaway),	       cmocka_unit_test(test_goaway_while_waiting),
		cmocka_unit_test(test_deadline),       cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bad_descriptor), cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_deaf),	       cmocka_unit_test(test_many),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
