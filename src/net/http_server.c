// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"

#define SILENCE_NS 10000000000ull /* without a byte in either direction */
#define OUT_OF_FDS_NS 200000000ull

struct client {
	TAILQ_ENTRY(client) link;
	struct http_server *server;
	int fd;
	struct watch watch;
	struct timer silence;
	struct buf in, out;
	size_t written;
};

struct http_server {
	struct reactor *reactor;
	int fd;
	struct watch watch;
	struct timer pause; /* nothing can be accepted for now */
	TAILQ_HEAD(, client) clients;
	size_t n_clients, max_body;
	http_handler *fn;
	void *ctx;
};

static void client_free(struct client *c)
{
	struct http_server *s = c->server;

	TAILQ_REMOVE(&s->clients, c, link);
	if (s->n_clients-- == MAX_HTTP_CLIENTS && s->watch.reactor)
		watch_change(&s->watch, EPOLLIN);
	watch_remove(&c->watch);
	timer_stop(&c->silence);
	closep(&c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void on_silence(void *ctx)
{
	client_free(ctx);
}

static void heard(struct client *c)
{
	timer_start(&c->silence, c->server->reactor, SILENCE_NS, on_silence, c);
}

/* ---- answers --------------------------------------------------------------------- */

static const char *phrase(unsigned int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	default:
		return status < 500 ? "Error" : "Internal Server Error";
	}
}

static void write_out(struct client *c)
{
	while (c->written < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->written, c->out.len - c->written,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		c->written += (size_t)n;
		heard(c);
	}
	client_free(c);
}

static void on_writable(void *ctx, uint32_t events)
{
	write_out(ctx);
}

static void answer(struct client *c, const struct http_answer *a, bool is_head)
{
	c->out = (struct buf){.max = a->body.len + 512};
	buf_printf(&c->out,
		   "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Connection: close\r\n\r\n",
		   a->status, phrase(a->status), a->type, a->body.len);
	if (!is_head)
		buf_add(&c->out, a->body.data, a->body.len);
	watch_remove(&c->watch);
	if (watch_add(&c->watch, c->server->reactor, c->fd, EPOLLOUT, on_writable, c))
		client_free(c);
}

/* r: what http_request_read() said. */
static void handle(struct client *c, int r, const struct http_request *q)
{
	struct http_server *s = c->server;
	struct http_answer a = {200, "text/plain; charset=utf-8", {.max = s->max_body}};

	if (r) {
		a.status = r == -EMSGSIZE ? 413 : 400;
		buf_str(&a.body, r == -EMSGSIZE ? "the request is too long\n"
						: "this is no request of HTTP/1.1\n");
	} else {
		s->fn(s->ctx, q, &a);
	}
	answer(c, &a, q->is_head);
	buf_done(&a.body);
}

/* ---- requests -------------------------------------------------------------------- */

static void on_readable(void *ctx, uint32_t events)
{
	struct client *c = ctx;
	struct http_request q = {0};
	char bytes[8192];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	heard(c);
	buf_add(&c->in, bytes, (size_t)n);
	r = c->in.failed ? -EMSGSIZE : http_request_read(c->in.data, c->in.len, &q);
	if (r > 0)
		return;
	handle(c, r, &q);
	http_request_done(&q);
}

static void add_client(struct http_server *s, int fd)
{
	struct client *c = xnew(struct client);

	c->server = s;
	c->fd = fd;
	buf_init(&c->in, 2 * MAX_HTTP_REQUEST_BYTES);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	if (++s->n_clients == MAX_HTTP_CLIENTS)
		watch_change(&s->watch, 0);
	heard(c);
	if (watch_add(&c->watch, s->reactor, fd, EPOLLIN, on_readable, c))
		client_free(c);
}

static void on_pause_over(void *ctx)
{
	struct http_server *s = ctx;

	watch_change(&s->watch, s->n_clients < MAX_HTTP_CLIENTS ? EPOLLIN : 0);
}

static void on_listener(void *ctx, uint32_t events)
{
	struct http_server *s = ctx;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		add_client(s, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		watch_change(&s->watch, 0);
		timer_start(&s->pause, s->reactor, OUT_OF_FDS_NS, on_pause_over, s);
	}
}

/* ---- life ------------------------------------------------------------------------ */

int http_server_new(struct reactor *r, int listen_fd, size_t max_body, http_handler *fn, void *ctx,
		    struct http_server **ret, struct err *err)
{
	struct http_server *s = xnew(struct http_server);
	int code;

	s->reactor = r;
	s->fd = listen_fd;
	s->max_body = max_body;
	s->fn = fn;
	s->ctx = ctx;
	TAILQ_INIT(&s->clients);
	code = watch_add(&s->watch, r, listen_fd, EPOLLIN, on_listener, s);
	if (code) {
		http_server_free(s);
		return err_set(err, code, "waiting for clients: %s", strerror(-code));
	}
	*ret = s;
	return 0;
}

struct http_server *http_server_free(struct http_server *s)
{
	if (!s)
		return NULL;
	while (!TAILQ_EMPTY(&s->clients))
		client_free(TAILQ_FIRST(&s->clients));
	watch_remove(&s->watch);
	timer_stop(&s->pause);
	closep(&s->fd);
	free(s);
	return NULL;
}
