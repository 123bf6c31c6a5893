// SPDX-License-Identifier: Apache-2.0
/* A GET over a socket; see http1.h. */
#include "net/http1.h"

#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/transport.h"

#define MAX_REQUEST_BYTES 8192

struct http1_get {
	int fd;
	struct transport *transport; /* what moves its bytes; NULL: they are plain */
	struct watch watch;
	struct timer deadline;
	uint64_t deadline_ns;
	struct buf request;
	size_t sent;
	struct http1 parser;
	struct err failed;	/* before the reactor came to it */
	http1_part_fn *on_part; /* NULL: the answer is given as a whole */
	http1_fn *fn;
	void *ctx;
};

static void destroy(struct http1_get *g)
{
	watch_remove(&g->watch);
	timer_stop(&g->deadline);
	if (g->transport)
		g->transport->ops->free(g->transport);
	else
		closep(&g->fd);
	buf_done(&g->request);
	http1_done(&g->parser);
	free(g);
}

struct http1_get *http1_cancel(struct http1_get *g)
{
	if (g && g->fn) /* else it is being called, and ends by that */
		destroy(g);
	return NULL;
}

static void finish(struct http1_get *g, const struct err *err)
{
	http1_fn *fn = take(g->fn);

	if (err)
		fn(g->ctx, err, 0, NULL);
	else
		fn(g->ctx, NULL, g->parser.status, &g->parser.body);
	destroy(g);
}

/* As those of struct transport_ops. */
static ssize_t put_bytes(struct http1_get *g, const char *bytes, size_t n, struct err *err)
{
	ssize_t sent;

	if (g->transport)
		return g->transport->ops->send(g->transport, bytes, n, err);
	sent = send(g->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR
		       ? -EAGAIN
		       : err_set(err, -errno, "sending the request: %s", strerror(errno));
}

static ssize_t take_bytes(struct http1_get *g, char *bytes, size_t room, bool peek, struct err *err)
{
	ssize_t n;

	if (g->transport)
		return g->transport->ops->recv(g->transport, bytes, room, err);
	n = recv(g->fd, bytes, room, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR
		       ? -EAGAIN
		       : err_set(err, -errno, "reading the answer: %s", strerror(errno));
}

static int send_request(struct http1_get *g, struct err *err)
{
	ssize_t n = put_bytes(g, g->request.data + g->sent, g->request.len - g->sent, err);

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	g->sent += (size_t)n;
	if (g->sent < g->request.len)
		return 0;
	return watch_change(&g->watch, EPOLLIN);
}

static void give_part(struct http1_get *g)
{
	struct buf *body = &g->parser.body;

	if (!g->on_part || !body->len || g->parser.status != 200)
		return;
	g->on_part(g->ctx, body->data, body->len);
	buf_clear(body);
}

/* 1: the answer is whole. */
static int receive(struct http1_get *g, struct err *err)
{
	bool peek = g->parser.upgrades; /* what follows the answer is not ours to read */
	char bytes[65536];
	ssize_t n = take_bytes(g, bytes, sizeof(bytes), peek, err);
	int r;

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	if (!n) {
		r = http1_end(&g->parser, err);
		return r ? r : 1;
	}
	r = http1_feed(&g->parser, bytes, (size_t)n, err);
	if (peek)
		recv(g->fd, bytes, (size_t)n - g->parser.rest, MSG_DONTWAIT);
	if (r >= 0)
		give_part(g);
	return r;
}

static void on_ready(void *ctx, uint32_t events)
{
	struct http1_get *g = ctx;
	struct err err = {0};
	int r = 0;

	/* Reading first: one who refuses a request may answer and close without reading it. */
	if (events & ~(uint32_t)EPOLLOUT)
		r = receive(g, &err);
	if (!r && g->sent < g->request.len)
		r = send_request(g, &err);
	if (r)
		finish(g, r < 0 ? &err : NULL);
}

static void on_deadline(void *ctx)
{
	struct http1_get *g = ctx;

	if (!g->failed.code)
		err_set(&g->failed, -ETIMEDOUT, "no whole answer within %llu ms",
			(unsigned long long)(g->deadline_ns / 1000000));
	finish(g, &g->failed);
}

/* Paths hold names from outside: none may end the line and begin another. */
static bool is_path(const char *path)
{
	if (path[0] != '/')
		return false;
	while (*path > ' ' && *path < 0x7f)
		path++;
	return !*path;
}

#define CLOSES "Connection: close\r\n"

static struct http1_get *start(struct reactor *r, int fd, const char *path, const char *headers,
			       size_t max_body, uint64_t deadline_ns, http1_fn *fn, void *ctx)
{
	struct http1_get *g = xnew(struct http1_get);
	int code = 0;

	g->fd = fd;
	g->fn = fn;
	g->ctx = ctx;
	g->deadline_ns = deadline_ns;
	http1_init(&g->parser, max_body);
	buf_init(&g->request, MAX_REQUEST_BYTES);
	buf_printf(&g->request,
		   "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ig/" IG_VERSION "\r\n"
		   "Accept: */*\r\n%s\r\n",
		   path, headers);
	if (!is_path(path) || g->request.failed)
		code = err_set(&g->failed, -EINVAL, "not a path that can be asked for");
	if (!code)
		code = watch_add(&g->watch, r, fd, EPOLLIN | EPOLLOUT, on_ready, g);
	if (code && !g->failed.code)
		err_set(&g->failed, code, "waiting for a socket: %s", strerror(-code));
	if (code || deadline_ns)
		timer_start(&g->deadline, r, code ? 0 : deadline_ns, on_deadline, g);
	return g;
}

struct http1_get *http1_get(struct reactor *r, int fd, const char *path, size_t max_body,
			    uint64_t deadline_ns, http1_fn *fn, void *ctx)
{
	return start(r, fd, path, CLOSES, max_body, deadline_ns, fn, ctx);
}

struct http1_get *http1_get_by(struct reactor *r, struct transport *t, const char *path,
			       size_t max_body, uint64_t deadline_ns, http1_fn *fn, void *ctx)
{
	struct http1_get *g = start(r, t->fd, path, CLOSES, max_body, deadline_ns, fn, ctx);

	g->transport = t;
	return g;
}

struct http1_get *http1_stream(struct reactor *r, int fd, const char *path, size_t max_part,
			       http1_part_fn *on_part, http1_fn *fn, void *ctx)
{
	struct http1_get *g = start(r, fd, path, CLOSES, max_part, 0, fn, ctx);

	g->on_part = on_part;
	return g;
}

struct http1_get *http1_upgrade(struct reactor *r, int fd, const struct http1_upgrade *u,
				http1_fn *fn, void *ctx)
{
	struct http1_get *g =
		start(r, fd, u->path, u->headers, u->max_body, u->deadline_ns, fn, ctx);

	g->parser.upgrades = true;
	g->parser.on_header = u->on_header;
	g->parser.ctx = ctx;
	return g;
}

int http1_take_fd(struct http1_get *g)
{
	watch_remove(&g->watch);
	return take_fd(&g->fd);
}
