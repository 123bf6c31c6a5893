/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of net/grpc: calls whose server is a socket pair and a script of frames. */
#pragma once

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

static inline void on_broken(void *ctx, const struct err *err)
{
	struct peer *p = ctx;

	p->broken++;
	p->err = *err;
	if (p->frees)
		p->channel = grpc_channel_free(p->channel);
}

static inline void setup_with(struct peer *p, size_t max_message)
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

static inline void setup(struct peer *p)
{
	setup_with(p, MAX_MESSAGE);
}

static inline void teardown(struct peer *p)
{
	grpc_channel_free(p->channel);
	reactor_free(p->reactor);
	close(p->fd);
	buf_done(&p->out);
	buf_done(&p->in);
}

static inline void on_message(void *ctx, const void *bytes, size_t len)
{
	struct call *c = ctx;

	buf_add(&c->messages, bytes, len);
	buf_char(&c->messages, ',');
	if (c->at_message)
		c->at_message(c);
}

static inline void on_done(void *ctx, const struct grpc_reply *reply)
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

static inline void call_with(struct peer *p, struct call *c, const struct grpc_request *q,
			     bool stream)
{
	buf_init(&c->messages, 1 << 20);
	c->peer = p;
	c->call = stream ? grpc_call_stream(p->channel, q, on_message, on_done, c)
			 : grpc_call_unary(p->channel, q, on_done, c);
	assert_non_null(c->call);
	assert_int_equal(c->done, 0); /* never from within */
}

static inline void call(struct peer *p, struct call *c)
{
	call_with(p, c, &plain, false);
}

static inline void read_bytes(struct peer *p)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), 0)) > 0)
		buf_add(&p->in, bytes, (size_t)n);
}

static inline void dispatch(struct peer *p)
{
	struct pollfd poll_fd = {.fd = reactor_fd(p->reactor), .events = POLLIN};

	while (poll(&poll_fd, 1, 0) == 1) {
		reactor_dispatch(p->reactor);
		read_bytes(p);
	}
}

static inline void run(struct call *c)
{
	while (!c->done) {
		struct pollfd p = {.fd = reactor_fd(c->peer->reactor), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(c->peer->reactor);
	}
	dispatch(c->peer);
	assert_int_equal(c->done, 1);
}

static inline void send_bytes(struct peer *p, const char *bytes, size_t n)
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

static inline void flush(struct peer *p)
{
	assert_false(p->out.failed);
	send_bytes(p, p->out.data, p->out.len);
	buf_clear(&p->out);
}

static inline void expect(struct call *c, enum grpc_status status, const char *text)
{
	run(c);
	if (c->status != status || !strstr(c->text, text))
		print_error("%s '%s', not %s '%s'\n", grpc_status_name(c->status), c->text,
			    grpc_status_name(status), text);
	assert_int_equal(c->status, status);
	assert_true(strstr(c->text, text));
	buf_done(&c->messages);
}

static inline void expect_messages(struct call *c, const char *messages)
{
	run(c);
	assert_string_equal(buf_cstr(&c->messages), messages);
	expect(c, GRPC_OK, "");
}

static inline void answer(struct buf *b, uint32_t stream, const char *message)
{
	put_headers(b, stream, GRPC, false);
	put_message(b, stream, message);
	put_headers(b, stream, "grpc-status: 0\n", true);
}

/* All that we have sent; each frame as type, stream and payload, headers as text. */
static inline void read_frames(struct peer *p, struct buf *ret)
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

/* ---- what callbacks do --------------------------------------------------------------- */

static inline void cancel_self(struct call *c)
{
	c->call = grpc_call_cancel(c->call);
}

static inline void free_channel(struct call *c)
{
	c->peer->channel = grpc_channel_free(c->peer->channel);
}

static struct call another; /* what call_another() calls */

static inline void call_another(struct call *c)
{
	another = (struct call){0};
	call(c->peer, &another);
}
