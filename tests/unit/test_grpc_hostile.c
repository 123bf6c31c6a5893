// SPDX-License-Identifier: Apache-2.0
/* net/grpc_server, grpc_served, h2: frames that no client of ours sends, and floods of them. */
#include "net/grpc_server.h"

#include "base/limits.h"
#include "grpc_lab.h"
#include "h2_frames.h"

/* ---- clients of raw bytes -------------------------------------------------------- */

#define REQUEST(path) ":method: POST\n:scheme: http\n:path: " path "\n:authority: a\n"
#define GRPC "content-type: application/grpc\n"
#define ECHO REQUEST("/t.T/Echo") GRPC
#define CALL REQUEST("/t.T/Call") GRPC

struct raw {
	struct lab *lab;
	int fd;
	struct buf out, in;
	bool closed;
};

static void raw_open(struct lab *l, struct raw *w)
{
	*w = (struct raw){.lab = l, .out = {.max = 16 << 20}, .in = {.max = 16 << 20}};
	w->fd = unix_connect_path(l->path);
	assert_true(w->fd >= 0);
	buf_str(&w->out, NGHTTP2_CLIENT_MAGIC);
	put_settings(&w->out);
}

static void raw_close(struct raw *w)
{
	close(w->fd);
	buf_done(&w->out);
	buf_done(&w->in);
	dispatch(w->lab);
}

static void raw_read(struct raw *w)
{
	char bytes[4096];
	ssize_t n;

	dispatch(w->lab);
	while ((n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		buf_add(&w->in, bytes, (size_t)n);
		dispatch(w->lab);
	}
	w->closed = !n || errno != EAGAIN;
}

/* Sends what is in `out`; deaf: and reads nothing. */
static void raw_send(struct raw *w, bool deaf)
{
	size_t done = 0;

	while (done < w->out.len) {
		ssize_t n = send(w->fd, w->out.data + done, w->out.len - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN) {
			w->closed = true;
			break;
		}
		done += n < 0 ? 0 : (size_t)n;
		dispatch(w->lab);
		if (!deaf)
			raw_read(w);
	}
	buf_clear(&w->out);
	if (!deaf)
		raw_read(w);
}

/* The headers that came on a stream, as text, "END" behind the last. */
static void raw_headers(struct raw *w, uint8_t stream, struct buf *ret)
{
	const uint8_t *at = (const uint8_t *)w->in.data, *end = at + w->in.len;
	nghttp2_hd_inflater *inflater;

	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	for (size_t n; at + 9 <= end; at += 9 + n) {
		const uint8_t *block = at + 9;
		int flags = 0;
		size_t left;

		n = left = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		if (at[3] == NGHTTP2_RST_STREAM && at[8] == stream)
			buf_printf(ret, "RESET %u\n", at[12]);
		while (at[3] == NGHTTP2_HEADERS && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
			nghttp2_nv nv;
			ssize_t used =
				nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, left, 1);

			assert_true(used >= 0);
			block += used;
			left -= (size_t)used;
			if (flags & NGHTTP2_HD_INFLATE_EMIT && at[8] == stream)
				buf_printf(ret, "%s: %s\n", nv.name, nv.value);
		}
		nghttp2_hd_inflate_end_headers(inflater);
		if (at[3] == NGHTTP2_HEADERS && at[8] == stream && at[4] & NGHTTP2_FLAG_END_STREAM)
			buf_str(ret, "END\n");
	}
	nghttp2_hd_inflate_del(inflater);
}

#define M(text) "\0\0\0\0" text
#define HEAD ":status: 200\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n"
#define SAYS(status, message) "grpc-status: " status "\ngrpc-message: " message "\n"
#define REFUSED(status, message) HEAD SAYS(status, message) "END\n"

static const struct request {
	const char *headers, *bytes;
	size_t n;
	const char *answer;
} requests[] = {
	{ECHO, M("\2hi"), 7, HEAD "grpc-status: 0\nEND\n"},
	{ECHO "grpc-timeout: 99999999H\n", M("\2hi"), 7, HEAD "grpc-status: 0\nEND\n"},
	{ECHO, M("\4fail"), 9, REFUSED("6", "100%25 of%0A%C3%A4 is there")},
	/* not one whole message */
	{ECHO, "", 0, REFUSED("12", "no message is sent")},
	{ECHO, M("\1x") M("\1y"), 12, REFUSED("12", "more than one message is sent")},
	{ECHO, M("\2x"), 6, REFUSED("13", "the last message is cut")},
	{ECHO, "\0\0", 2, REFUSED("13", "the last message is cut")},
	{ECHO, "\1\0\0\0\1x", 6, REFUSED("12", "messages must not be compressed")},
	{ECHO, M("\x65"), 5, REFUSED("8", "the message is too long")},
	{ECHO, "\0\xff\xff\xff\xff", 5, REFUSED("8", "the message is too long")},
	{CALL, "\1\0\0\0\1x", 6, REFUSED("12", "messages must not be compressed")},
	/* headers */
	{REQUEST("/t.T/Nothing") GRPC, M("\0"), 5, REFUSED("12", "no such method")},
	{REQUEST("") GRPC, M("\0"), 5, "RESET 1\n"},
	{REQUEST("/t.T/Echo"), M("\0"), 5,
	 ":status: 415\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's content-type is application/grpc") "END\n"},
	{REQUEST("/t.T/Echo") "content-type: application/grpc-web\n", M("\0"), 5,
	 ":status: 415\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's content-type is application/grpc") "END\n"},
	{":method: GET\n:scheme: http\n:path: /t.T/Echo\n:authority: a\n" GRPC, M("\0"), 5,
	 ":status: 405\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's method is POST") "END\n"},
	{ECHO "grpc-timeout: 1\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{ECHO "grpc-timeout: 1x\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{ECHO "grpc-timeout: 123456789S\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{CALL "grpc-timeout: 0S\n", M("\0"), 5, REFUSED("4", "the client's deadline has passed")},
	{"a: b\n", M("\0"), 5, "RESET 1\n"},
	{ECHO "Upper: x\n", M("\0"), 5, "RESET 1\n"},
};

static void raw_expect(struct raw *w, uint8_t stream, const char *answer)
{
	_cleanup_(buf_done) struct buf got = {.max = 1 << 20};
	struct pollfd p = {.fd = reactor_fd(w->lab->reactor), .events = POLLIN};

	for (;;) {
		raw_read(w);
		buf_clear(&got);
		raw_headers(w, stream, &got);
		if (strstr(buf_cstr(&got), "END") || strstr(buf_cstr(&got), "RESET"))
			break;
		assert_int_equal(poll(&p, 1, 5000), 1);
	}
	if (strncmp(buf_cstr(&got), answer, strlen(answer)) != 0)
		print_error("%s\nis not\n%s", buf_cstr(&got), answer);
	assert_int_equal(strncmp(buf_cstr(&got), answer, strlen(answer)), 0);
}

static void test_requests(void **state)
{
	for (size_t i = 0; i < 2 * array_size(requests); i++) {
		const struct request *q = &requests[i / 2];
		bool bytewise = i % 2;
		struct raw w;
		struct lab l;

		setup(&l);
		raw_open(&l, &w);
		put_headers(&w.out, 1, q->headers, false);
		for (size_t at = 0; bytewise && at < q->n; at++)
			put_frame(&w.out, NGHTTP2_DATA, 0, 1, q->bytes + at, 1);
		put_frame(&w.out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, q->bytes,
			  bytewise ? 0 : q->n);
		raw_send(&w, false);
		raw_expect(&w, 1, q->answer);
		assert_false(w.closed);
		put_headers(&w.out, 3, ECHO, false);
		put_message(&w.out, 3, "next");
		put_frame(&w.out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, NULL, 0);
		raw_send(&w, false);
		raw_expect(&w, 3, HEAD "grpc-status: 0\nEND\n");
		raw_close(&w);
		assert_int_equal(grpc_server_connections(l.server), 0);
		teardown(&l);
	}
}

/* Who has not said all when the answer ends is told to stop. */
static void test_stop_sending(void **state)
{
	struct raw w;
	struct lab l;

	setup(&l);
	l.at_begin = finish_busy;
	raw_open(&l, &w);
	put_headers(&w.out, 1, CALL, false);
	raw_send(&w, false);
	raw_expect(&w, 1, HEAD SAYS("9", "busy") "END\nRESET 0\n");
	put_message(&w.out, 1, "unheard");
	raw_send(&w, false);
	assert_false(w.closed);
	assert_int_equal(l.calls[0].messages.len, 0);
	raw_close(&w);
	teardown(&l);
}

/* The peer's window is shut: what is queued waits, and goes with the call. */
static void test_no_window(void **state)
{
	static const char no_window[] = {0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 0};
	struct raw w;
	struct lab l;

	setup(&l);
	raw_open(&l, &w);
	put_frame(&w.out, NGHTTP2_SETTINGS, 0, 0, no_window, sizeof(no_window));
	put_headers(&w.out, 1, CALL, false);
	put_headers(&w.out, 3, CALL "grpc-timeout: 20m\n", false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, 2);
	grpc_served_send(l.calls[0].call, "waits", 5);
	grpc_served_send(l.calls[1].call, "waits", 5);
	raw_read(&w);
	assert_int_equal(grpc_served_queued(l.calls[0].call), 10);
	wait_until(&l, &l.calls[1].gone);
	put_reset(&w.out, 1, NGHTTP2_CANCEL);
	raw_send(&w, false);
	assert_int_equal(l.calls[0].gone, 1);
	raw_close(&w);
	teardown(&l);
}

static void test_too_many_calls(void **state)
{
	struct raw w;
	struct lab l;

	setup(&l);
	raw_open(&l, &w);
	put_frame(&w.out, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	for (uint32_t i = 0; i < MAX_SERVED_CALLS; i++)
		put_headers(&w.out, 1 + 2 * i, CALL, false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, MAX_SERVED_CALLS);
	put_headers(&w.out, 1 + 2 * MAX_SERVED_CALLS, CALL, false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, MAX_SERVED_CALLS);
	raw_close(&w);
	for (size_t i = 0; i < l.n_calls; i++)
		assert_int_equal(l.calls[i].gone, 1);
	teardown(&l);
}

static void test_too_many_clients(void **state)
{
	struct raw clients[5];
	struct lab l;

	setup_with(&l, MAX_MESSAGE, 3);
	for (int i = 0; i < 5; i++) {
		raw_open(&l, &clients[i]);
		raw_send(&clients[i], false);
		assert_int_equal(clients[i].closed, i >= 3);
	}
	assert_int_equal(grpc_server_connections(l.server), 3);
	assert_string_equal(buf_cstr(&l.warnings), "more than 3 clients: one more is sent away\n");
	raw_close(&clients[0]);
	raw_open(&l, &clients[0]);
	raw_send(&clients[0], false);
	assert_false(clients[0].closed);
	for (int i = 0; i < 5; i++)
		raw_close(&clients[i]);
	assert_int_equal(grpc_server_connections(l.server), 0);
	teardown(&l);
}

/* Messages that never become whole: those of all clients together are bounded. */
static void test_held(void **state)
{
	enum { CALLS = 70, FRAMES = 63 }; /* 1 MiB each, less one frame */
	_cleanup_(freep) char *bytes = xcalloc(1, 16384);
	unsigned int refused = 0;
	struct raw w;
	struct lab l;

	setup_with(&l, 1 << 20, 0);
	raw_open(&l, &w);
	for (uint32_t i = 0; i < CALLS; i++) {
		put_headers(&w.out, 1 + 2 * i, CALL, false);
		put_frame(&w.out, NGHTTP2_DATA, 0, 1 + 2 * i, "\0\0\x10\0\0", 5);
		for (int f = 0; f < FRAMES; f++)
			put_frame(&w.out, NGHTTP2_DATA, 0, 1 + 2 * i, bytes, 16384);
		raw_send(&w, false);
	}
	assert_int_equal(l.n_calls, CALLS);
	for (int i = 0; i < CALLS; i++)
		refused += l.calls[i].gone;
	assert_in_range(refused, CALLS - 64, CALLS - 60);
	put_reset(&w.out, 1, NGHTTP2_CANCEL); /* makes room for another */
	put_headers(&w.out, 1 + 2 * CALLS, CALL, false);
	put_frame(&w.out, NGHTTP2_DATA, 0, 1 + 2 * CALLS, "\0\0\0\0\4four", 9);
	raw_send(&w, false);
	assert_string_equal(buf_cstr(&l.calls[CALLS].messages), "four,");
	raw_close(&w);
	for (int i = 0; i <= CALLS; i++)
		assert_int_equal(l.calls[i].gone, 1);
	teardown(&l);
}

/* Answers that a deaf client makes us owe are bounded: it is cut off. */
static void put_ping(struct buf *b, uint32_t i)
{
	put_frame(b, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void put_empty_settings(struct buf *b, uint32_t i)
{
	put_settings(b);
}

static void put_call_and_reset(struct buf *b, uint32_t i)
{
	put_headers(b, 3 + 2 * i, REQUEST("/t.T/Nothing") GRPC, true);
	put_reset(b, 3 + 2 * i, NGHTTP2_CANCEL);
}

static void put_bad_call(struct buf *b, uint32_t i)
{
	put_headers(b, 3 + 2 * i, "a: b\n", true);
}

static void put_empty_data(struct buf *b, uint32_t i)
{
	put_frame(b, NGHTTP2_DATA, 0, 3 + 2 * i, NULL, 0);
}

static const struct flood {
	void (*put)(struct buf *b, uint32_t i);
	bool deaf;
} floods[] = {
	{put_ping, true},	    {put_empty_settings, true},
	{put_call_and_reset, true}, {put_call_and_reset, false},
	{put_bad_call, true},	    {put_empty_data, false},
};

static void test_floods(void **state)
{
	for (size_t i = 0; i < array_size(floods); i++) {
		struct raw w;
		struct lab l;
		uint32_t n = 0;

		setup(&l);
		raw_open(&l, &w);
		put_headers(&w.out, 1, CALL, false);
		raw_send(&w, false);
		assert_int_equal(l.n_calls, 1);
		while (!w.closed && n < 20000) {
			for (int k = 0; k < 100; k++)
				floods[i].put(&w.out, n++);
			raw_send(&w, floods[i].deaf);
		}
		raw_read(&w); /* one that was refused may have to be told first */
		if (!w.closed)
			print_error("flood %zu is borne\n", i);
		assert_true(w.closed);
		dispatch(&l);
		assert_int_equal(grpc_server_connections(l.server), 0);
		assert_int_equal(l.calls[0].gone, 1);
		assert_non_null(strstr(buf_cstr(&l.warnings), "HTTP/2: "));
		raw_close(&w);
		teardown(&l);
	}
}

static void test_header_flood(void **state)
{
	_cleanup_(buf_done) struct buf headers = {.max = 1 << 20};
	struct raw w;
	struct lab l;

	buf_str(&headers, CALL);
	for (int i = 0; i < 35; i++)
		buf_printf(&headers, "a: %02000d\n", i);
	setup(&l);
	raw_open(&l, &w);
	put_headers(&w.out, 1, buf_cstr(&headers), false);
	raw_send(&w, false);
	raw_expect(&w, 1, REFUSED("8", "the headers are too long"));
	assert_int_equal(l.n_calls, 0);
	assert_false(w.closed);
	raw_close(&w);
	teardown(&l);
}

static void test_not_http2(void **state)
{
	static const char *const scripts[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x01\x02\x02garbage that is a hello of TLS",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	};
	struct lab l;

	setup(&l);
	for (size_t i = 0; i < array_size(scripts); i++) {
		struct raw w;

		raw_open(&l, &w);
		buf_clear(&w.out);
		buf_str(&w.out, scripts[i]);
		raw_send(&w, false);
		assert_true(w.closed);
		assert_int_equal(grpc_server_connections(l.server), 0);
		assert_non_null(strstr(buf_cstr(&l.warnings), "a client's connection: HTTP/2: "));
		buf_clear(&l.warnings);
		raw_close(&w);
	}
	teardown(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),	 cmocka_unit_test(test_stop_sending),
		cmocka_unit_test(test_no_window),	 cmocka_unit_test(test_too_many_calls),
		cmocka_unit_test(test_too_many_clients), cmocka_unit_test(test_held),
		cmocka_unit_test(test_floods),		 cmocka_unit_test(test_header_flood),
		cmocka_unit_test(test_not_http2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
