// SPDX-License-Identifier: Apache-2.0
/* net/grpc, net/h2: calls whose server is a socket pair and a script. */
#include "net/grpc.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "h2_frames.h"
#include "net/grpc_wire.h"

#define MS 1000000ull
#define GRPC ":status: 200\ncontent-type: application/grpc\n"
#define MAX_MESSAGE 100

/* ---- both sides ------------------------------------------------------------------ */

struct call;

struct peer {
	struct reactor *reactor;
	struct grpc_channel *channel;
	int fd; /* the server's side */
	struct buf out, in;
	unsigned int broken;
	struct err err;
	bool frees; /* the channel, when it is broken */
};

struct call {
	struct peer *peer;
	struct grpc_call *call;
	unsigned int done;
	enum grpc_status status;
	char text[300];
	struct buf messages;	      /* each with a comma behind */
	void (*then)(struct call *c); /* from within `done` */
	void (*at_message)(struct call *c);
};

static void on_broken(void *ctx, const struct err *err)
{
	struct peer *p = ctx;

	p->broken++;
	p->err = *err;
	if (p->frees)
		p->channel = grpc_channel_free(p->channel);
}

static void setup_with(struct peer *p, size_t max_message)
{
	const struct grpc_channel_options options = {
		.max_message = max_message,
		.on_broken = on_broken,
		.ctx = p,
	};
	int fds[2];

	*p = (struct peer){.out = {.max = 1 << 20}, .in = {.max = 4 << 20}};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->fd = fds[1];
	assert_int_equal(reactor_new(&p->reactor, NULL), 0);
	assert_int_equal(grpc_channel_new(p->reactor, fds[0], &options, &p->channel, NULL), 0);
}

static void setup(struct peer *p)
{
	setup_with(p, MAX_MESSAGE);
}

static void teardown(struct peer *p)
{
	grpc_channel_free(p->channel);
	reactor_free(p->reactor);
	close(p->fd);
	buf_done(&p->out);
	buf_done(&p->in);
}

static void on_message(void *ctx, const void *bytes, size_t len)
{
	struct call *c = ctx;

	buf_add(&c->messages, bytes, len);
	buf_char(&c->messages, ',');
	if (c->at_message)
		c->at_message(c);
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct call *c = ctx;

	c->done++;
	c->status = reply->status;
	snprintf(c->text, sizeof(c->text), "%s", reply->text);
	assert_true(reply->status == GRPC_OK || (!reply->bytes && !reply->len));
	if (reply->bytes)
		on_message(c, reply->bytes, reply->len);
	if (c->then)
		c->then(c);
}

static const struct grpc_request plain = {.method = "/a.B/C", .bytes = "question", .len = 8};

static void call_with(struct peer *p, struct call *c, const struct grpc_request *q, bool stream)
{
	buf_init(&c->messages, 1 << 20);
	c->peer = p;
	c->call = stream ? grpc_call_stream(p->channel, q, on_message, on_done, c)
			 : grpc_call_unary(p->channel, q, on_done, c);
	assert_non_null(c->call);
	assert_int_equal(c->done, 0); /* never from within */
}

static void call(struct peer *p, struct call *c)
{
	call_with(p, c, &plain, false);
}

static void read_bytes(struct peer *p)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), 0)) > 0)
		buf_add(&p->in, bytes, (size_t)n);
}

static void dispatch(struct peer *p)
{
	struct pollfd poll_fd = {.fd = reactor_fd(p->reactor), .events = POLLIN};

	while (poll(&poll_fd, 1, 0) == 1) {
		reactor_dispatch(p->reactor);
		read_bytes(p);
	}
}

static void run(struct call *c)
{
	while (!c->done) {
		struct pollfd p = {.fd = reactor_fd(c->peer->reactor), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(c->peer->reactor);
	}
	dispatch(c->peer);
	assert_int_equal(c->done, 1);
}

static void send_bytes(struct peer *p, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);

		if (sent < 0) {
			assert_int_equal(errno, EAGAIN);
			dispatch(p);
			continue;
		}
		bytes += sent;
		n -= (size_t)sent;
	}
}

static void flush(struct peer *p)
{
	assert_false(p->out.failed);
	send_bytes(p, p->out.data, p->out.len);
	buf_clear(&p->out);
}

static void expect(struct call *c, enum grpc_status status, const char *text)
{
	run(c);
	if (c->status != status || !strstr(c->text, text))
		print_error("%s '%s', not %s '%s'\n", grpc_status_name(c->status), c->text,
			    grpc_status_name(status), text);
	assert_int_equal(c->status, status);
	assert_true(strstr(c->text, text));
	buf_done(&c->messages);
}

static void expect_messages(struct call *c, const char *messages)
{
	run(c);
	assert_string_equal(buf_cstr(&c->messages), messages);
	expect(c, GRPC_OK, "");
}

static void answer(struct buf *b, uint32_t stream, const char *message)
{
	put_headers(b, stream, GRPC, false);
	put_message(b, stream, message);
	put_headers(b, stream, "grpc-status: 0\n", true);
}

/* ---- what we send ---------------------------------------------------------------- */

/* All that we have sent; each frame as type, stream and payload, headers as text. */
static void read_frames(struct peer *p, struct buf *ret)
{
	nghttp2_hd_inflater *inflater;
	const uint8_t *at;

	dispatch(p);
	at = (const uint8_t *)p->in.data;
	assert_memory_equal(at, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	at += NGHTTP2_CLIENT_MAGIC_LEN;
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	while (at < (const uint8_t *)p->in.data + p->in.len) {
		size_t n = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		const uint8_t *block = at + 9;
		size_t left = n;
		int flags = 0;

		buf_printf(ret, "<%u:%u ", at[3], at[8]);
		if (at[3] == NGHTTP2_DATA)
			buf_add(ret, at + 9, n);
		while (at[3] == NGHTTP2_HEADERS && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
			nghttp2_nv nv;
			ssize_t used =
				nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, left, 1);

			assert_true(used >= 0);
			block += used;
			left -= (size_t)used;
			if (flags & NGHTTP2_HD_INFLATE_EMIT)
				buf_printf(ret, "%s: %s\n", nv.name, nv.value);
		}
		at += 9 + n;
	}
	nghttp2_hd_inflate_del(inflater);
}

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

static void cancel_self(struct call *c)
{
	c->call = grpc_call_cancel(c->call);
}

static void free_channel(struct call *c)
{
	c->peer->channel = grpc_channel_free(c->peer->channel);
}

static struct call another;

static void call_another(struct call *c)
{
	another = (struct call){0};
	call(c->peer, &another);
}

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
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_header_flood),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_not_http2),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_goaway_while_waiting),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
