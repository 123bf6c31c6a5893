// SPDX-License-Identifier: Apache-2.0
/*
 * A client's bytes, read by a server. The first byte of an input chooses what callbacks do. If the
 * second is 0 the rest is the bytes as they are; else a preface and a list of frames { u8 type, u8
 * flags, u8 stream, u16 length, payload } that get right heads; the payload of HEADERS whose
 * flags have the bit 0x80 stands behind a good request's. However it goes, each call ends once, and
 * nothing of the client is left.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit/h2_frames.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/grpc_server.h"

#define MAX_BYTES 65536

enum {
	FREE_AT_MESSAGE = 1,
	FINISH_AT_MESSAGE = 2,
	FINISH_AT_HALF_CLOSE = 4,
	ANSWER = 8,
	BYTEWISE = 16,
	FREE_AT_GONE = 32,
	SHUT_DOWN = 64,
	FINISH_AT_BEGIN = 128,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct reactor *reactor;
	struct grpc_server *server;
	int fd;
	unsigned int flags, begun, ended, shut;
};

struct call {
	struct side *side;
	bool half_closed;
};

static void end(struct call *c)
{
	c->side->ended++;
	free(c);
}

static void finish(struct call *c, struct grpc_served *call)
{
	grpc_served_finish(call, GRPC_NOT_FOUND, "100% of it\n");
	end(c);
}

static void free_server(struct side *s)
{
	grpc_server_free(take(s->server));
}

static void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct call *c = ctx;

	if (c->half_closed || (len && ((const char *)bytes)[len] != '\0'))
		abort();
	if (c->side->flags & ANSWER)
		grpc_served_send(call, bytes, len);
	if (c->side->flags & FINISH_AT_MESSAGE)
		finish(c, call);
	else if (c->side->flags & FREE_AT_MESSAGE)
		free_server(c->side);
}

static void on_half_closed(void *ctx, struct grpc_served *call)
{
	struct call *c = ctx;

	if (c->half_closed)
		abort();
	c->half_closed = true;
	if (c->side->flags & FINISH_AT_HALF_CLOSE)
		finish(c, call);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	struct call *c = ctx;
	struct side *s = c->side;

	end(c);
	if (s->flags & FREE_AT_GONE && s->server)
		free_server(s);
}

static void begin(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {
		.message = on_message, .half_closed = on_half_closed, .gone = on_gone};
	struct side *s = ctx;
	struct call *c = xnew(struct call);

	c->side = s;
	s->begun++;
	grpc_served_start(call, &events, c);
	if (s->flags & FINISH_AT_BEGIN)
		finish(c, call);
}

static int echo(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	buf_add(reply, bytes, len);
	return len > 50 ? err_set(err, -ENOENT, "no") : 0;
}

static const struct grpc_method methods[] = {
	{"/a", .begin = begin},
	{"/b", .unary = echo},
	{.path = NULL},
};

static void on_shut(void *ctx)
{
	struct side *s = ctx;

	s->shut++;
}

static void dispatch(struct side *s)
{
	struct pollfd p = {.fd = reactor_fd(s->reactor), .events = POLLIN};
	char bytes[4096];

	while (poll(&p, 1, 0) == 1) {
		reactor_dispatch(s->reactor);
		while (recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
	}
}

static void start(struct side *s)
{
	const struct grpc_server_options o = {.max_message = 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t n = sizeof(sa_family_t); /* the kernel gives it a name: unix(7) */

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (const struct sockaddr *)&at, n) || listen(fd, 1))
		abort();
	n = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &n) ||
	    connect(s->fd, (const struct sockaddr *)&at, n) || reactor_new(&s->reactor, NULL) ||
	    grpc_server_new(s->reactor, &o, &s->server, NULL) ||
	    grpc_server_listen(s->server, fd, NULL, NULL))
		abort();
	grpc_server_add(s->server, methods, s);
	dispatch(s);
}

/* HEADERS of a good request and what the input adds, in an HPACK block. */
static void put_request(struct buf *out, uint8_t flags, uint8_t stream, const uint8_t *more,
			size_t n)
{
	static const char *const pairs[][2] = {
		{":method", "POST"},
		{":scheme", "http"},
		{":authority", "x"},
		{"content-type", "application/grpc"},
	};
	_cleanup_(buf_done) struct buf block = {.max = MAX_BYTES};

	for (size_t i = 0; i < array_size(pairs); i++) {
		buf_char(&block, 0);
		put_text(&block, pairs[i][0]);
		put_text(&block, pairs[i][1]);
	}
	buf_char(&block, 0);
	put_text(&block, ":path");
	put_text(&block, stream & 2 ? "/b" : "/a");
	buf_add(&block, more, n);
	put_frame(out, NGHTTP2_HEADERS, flags & 0x7f, stream, block.data, block.len);
}

static void make_frames(struct buf *out, const uint8_t *at, size_t left)
{
	buf_str(out, NGHTTP2_CLIENT_MAGIC);
	put_settings(out);
	while (left >= 5) {
		size_t n = (size_t)at[3] << 8 | at[4];

		n = n < left - 5 ? n : left - 5;
		if (at[0] == NGHTTP2_HEADERS && at[1] & 0x80)
			put_request(out, at[1], at[2], at + 5, n);
		else
			put_frame(out, at[0], at[1], at[2], at + 5, n);
		at += 5 + n;
		left -= 5 + n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf out = {.max = MAX_BYTES};
	struct side s = {0};
	size_t step;

	if (size < 2)
		return 0;
	s.flags = data[0];
	if (data[1])
		make_frames(&out, data + 2, size - 2);
	else
		buf_add(&out, data + 2, size - 2);
	start(&s);
	step = s.flags & BYTEWISE && out.len < 512 ? 1 : 8192;
	for (size_t at = 0, n; at < out.len; at += n) {
		n = out.len - at < step ? out.len - at : step;
		if (send(s.fd, out.data + at, n, MSG_NOSIGNAL) < 0)
			break;
		dispatch(&s);
	}
	if (s.flags & SHUT_DOWN && s.server)
		grpc_server_shutdown(s.server, 60000000000, on_shut, &s);
	dispatch(&s);
	shutdown(s.fd, SHUT_RDWR);
	dispatch(&s);
	if (s.server && (grpc_server_connections(s.server) || s.shut != !!(s.flags & SHUT_DOWN)))
		abort();
	if (s.begun != s.ended)
		abort();
	grpc_server_free(s.server);
	reactor_free(s.reactor);
	close(s.fd);
	return 0;
}
