/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a gRPC server on a unix socket, whose calls note what they are told. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/grpc_server.h"
#include "net/unix.h"

#define MS 1000000ull
#define MAX_MESSAGE 100

/* What one call has come to; also what its callbacks do. */
struct served {
	struct lab *lab;
	struct grpc_served *call;
	struct buf messages; /* each with a comma behind */
	unsigned int half_closed, drained, gone;
	void (*then)(struct served *s); /* at each message, half_closed and drained */
	void (*at_gone)(struct served *s);
};

struct lab {
	struct reactor *reactor;
	struct grpc_server *server;
	char path[64];
	struct buf warnings;
	unsigned int shut;
	struct served calls[200];
	size_t n_calls;
	void (*at_begin)(struct served *s);
	void (*then)(struct served *s);
	void (*at_gone)(struct served *s);
};

static inline void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct served *s = ctx;

	assert_ptr_equal(call, s->call);
	assert_int_equal(s->gone, 0);
	buf_add(&s->messages, bytes, len);
	buf_char(&s->messages, ',');
	if (s->then)
		s->then(s);
}

static inline void on_half_closed(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	assert_int_equal(s->gone, 0);
	s->half_closed++;
	if (s->then)
		s->then(s);
}

static inline void on_drained(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	s->drained++;
	if (s->then)
		s->then(s);
}

static inline void on_gone(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	s->gone++;
	if (s->at_gone)
		s->at_gone(s);
}

static inline void begin(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_message,
							 .half_closed = on_half_closed,
							 .drained = on_drained,
							 .gone = on_gone};
	struct lab *l = ctx;
	struct served *s = &l->calls[l->n_calls++];

	assert_true(l->n_calls < array_size(l->calls));
	*s = (struct served){
		.lab = l,
		.call = call,
		.messages = {.max = 1 << 20},
		.then = l->then,
		.at_gone = l->at_gone,
	};
	grpc_served_start(call, &events, s);
	if (l->at_begin)
		l->at_begin(s);
}

static inline void forget(void *ctx, struct grpc_served *call)
{
}

static inline int echo(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	if (len == 4 && !memcmp(bytes, "fail", 4))
		return err_set(err, -EEXIST, "100%% of\n\u00e4 is there");
	if (len == 4 && !memcmp(bytes, "mute", 4))
		return -EACCES;
	buf_add(reply, bytes, len);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/t.T/Echo", .unary = echo},
	{"/t.T/Call", .begin = begin},
	{NULL},
};
static const struct grpc_method others[] = {{"/t.O/Forget", .begin = forget}, {NULL}};

static inline void on_warning(void *ctx, const char *text)
{
	struct lab *l = ctx;

	buf_printf(&l->warnings, "%s\n", text);
}

static inline void setup_with(struct lab *l, size_t max_message, size_t max_connections)
{
	const struct grpc_server_options o = {max_message, max_connections, on_warning, l};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*l = (struct lab){.warnings = {.max = 1 << 20}};
	snprintf(l->path, sizeof(l->path), "/tmp/test_grpc_server.%d", getpid());
	unlink(l->path);
	strcpy(at.sun_path, l->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(reactor_new(&l->reactor, NULL), 0);
	assert_int_equal(grpc_server_new(l->reactor, &o, &l->server, NULL), 0);
	assert_int_equal(grpc_server_listen(l->server, fd, NULL, NULL), 0);
	grpc_server_add(l->server, methods, l);
	grpc_server_add(l->server, others, l);
}

static inline void setup(struct lab *l)
{
	setup_with(l, MAX_MESSAGE, 0);
}

static inline void teardown(struct lab *l)
{
	grpc_server_free(l->server);
	reactor_free(l->reactor);
	unlink(l->path);
	buf_done(&l->warnings);
	for (size_t i = 0; i < l->n_calls; i++)
		buf_done(&l->calls[i].messages);
}

static inline void dispatch(struct lab *l)
{
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};

	while (poll(&p, 1, 0) == 1)
		reactor_dispatch(l->reactor);
}

static inline void wait_until(struct lab *l, const unsigned int *what)
{
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};

	while (!*what) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(l->reactor);
	}
	dispatch(l);
}

static inline void finish_busy(struct served *s)
{
	grpc_served_send(s->call, "no", 2);
	grpc_served_finish(s->call, GRPC_FAILED_PRECONDITION, "busy");
}
