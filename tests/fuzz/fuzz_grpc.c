// SPDX-License-Identifier: Apache-2.0
/*
 * A server's bytes, read by a channel with calls that are open. The first byte of an input chooses
 * what callbacks do. If the second is 0 the rest is the bytes as they are; else it is a list of
 * frames { u8 type, u8 flags, u8 stream, u16 length, payload } that get right heads, so that the
 * fuzzer reaches what lies behind them. However it goes, each call ends once.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/h2_frames.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/grpc.h"

#define N_CALLS 4
#define MAX_BYTES 65536

enum {
	FREE_AT_DONE = 1,
	FREE_AT_BROKEN = 2,
	CANCEL_AT_MESSAGE = 4,
	CALL_AT_DONE = 8,
	BYTEWISE = 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct reactor *reactor;
	struct grpc_channel *channel;
	int fd;
	unsigned int flags, ended, started;
};

struct call {
	struct side *side;
	struct grpc_call *call;
	bool ended;
};

static void end(struct call *c)
{
	if (c->ended)
		abort();
	c->ended = true;
	c->side->ended++;
}

static void on_message(void *ctx, const void *bytes, size_t len)
{
	struct call *c = ctx;

	if (c->ended || (len && ((const char *)bytes)[len] != '\0'))
		abort();
	if (c->side->flags & CANCEL_AT_MESSAGE) {
		end(c);
		grpc_call_cancel(c->call);
	}
}

static void on_late(void *ctx, const struct grpc_reply *reply)
{
	struct side *s = ctx;

	s->ended++;
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	static const struct grpc_request request = {.method = "/late"};
	struct call *c = ctx;
	struct side *s = c->side;

	end(c);
	if (strlen(grpc_status_name(reply->status)) + strlen(reply->text) == 0)
		abort();
	if (s->flags & CALL_AT_DONE && reply->status != GRPC_CANCELLED) {
		grpc_call_unary(s->channel, &request, on_late, s);
		s->started++;
	}
	if (s->flags & FREE_AT_DONE && s->channel)
		s->channel = grpc_channel_free(take(s->channel));
}

static void on_broken(void *ctx, const struct err *err)
{
	struct side *s = ctx;

	if (!err->code || !err->text[0])
		abort();
	if (s->flags & FREE_AT_BROKEN && s->channel)
		s->channel = grpc_channel_free(take(s->channel));
}

static void dispatch(struct side *s)
{
	struct pollfd p = {.fd = reactor_fd(s->reactor), .events = POLLIN};
	char bytes[4096];

	while (poll(&p, 1, 0) == 1) {
		reactor_dispatch(s->reactor);
		while (recv(s->fd, bytes, sizeof(bytes), 0) > 0)
			;
	}
}

static void start(struct side *s, struct call calls[N_CALLS])
{
	static const struct grpc_request request = {
		.method = "/a.B/C", .bytes = "x", .len = 1, .deadline_ns = 60000000000};
	const struct grpc_channel_options options = {
		.max_message = 1000, .on_broken = on_broken, .ctx = s};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) ||
	    reactor_new(&s->reactor, NULL) ||
	    grpc_channel_new(s->reactor, fds[0], &options, &s->channel, NULL))
		abort();
	s->fd = fds[1];
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &calls[i];

		c->side = s;
		c->call = i % 2 ? grpc_call_stream(s->channel, &request, on_message, on_done, c)
				: grpc_call_unary(s->channel, &request, on_done, c);
		s->started++;
	}
	dispatch(s);
}

static void make_frames(struct buf *out, const uint8_t *at, size_t left)
{
	while (left >= 5) {
		size_t n = (size_t)at[3] << 8 | at[4];

		n = n < left - 5 ? n : left - 5;
		put_frame(out, at[0], at[1], at[2], at + 5, n);
		at += 5 + n;
		left -= 5 + n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf out = {.max = MAX_BYTES};
	struct call calls[N_CALLS] = {0};
	struct side s = {0};
	size_t step;

	if (size < 2)
		return 0;
	s.flags = data[0];
	if (data[1])
		make_frames(&out, data + 2, size - 2);
	else
		buf_add(&out, data + 2, size - 2);
	start(&s, calls);
	step = s.flags & BYTEWISE && out.len < 512 ? 1 : MAX_BYTES;
	for (size_t at = 0, n; at < out.len; at += n) {
		n = out.len - at < step ? out.len - at : step;
		if (send(s.fd, out.data + at, n, MSG_NOSIGNAL) < 0)
			break;
		dispatch(&s);
	}
	shutdown(s.fd, SHUT_RDWR);
	while (s.channel && s.ended < s.started) {
		struct pollfd p = {.fd = reactor_fd(s.reactor), .events = POLLIN};

		if (poll(&p, 1, 1000) != 1)
			abort(); /* nobody tells the calls that are left */
		reactor_dispatch(s.reactor);
	}
	grpc_channel_free(take(s.channel));
	if (s.ended != s.started)
		abort();
	reactor_free(s.reactor);
	close(s.fd);
	return 0;
}
