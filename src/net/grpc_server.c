// SPDX-License-Identifier: Apache-2.0
/* Listening, and the clients that come and go; see grpc_server.h. Their calls: grpc_served.c */
#include "net/grpc_server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/grpc_internal.h"
#include "net/h2.h"

#define HELLO_NS 10000000000ull	   /* for TLS and the first frames of a client from afar */
#define OUT_OF_FDS_NS 200000000ull /* then accept() is tried again */
#define ACCEPTS_AT_ONCE 16

struct listener {
	TAILQ_ENTRY(listener) link;
	struct grpc_server *server;
	int fd;
	struct tls *tls;
	struct watch watch;
	struct timer pause; /* nothing can be accepted for now */
};

struct grpc_server {
	struct calls_shared shared;
	TAILQ_HEAD(, listener) listeners;
	TAILQ_HEAD(, client) clients;
	size_t n_clients, max_clients, n_awaited;
	bool is_full; /* which was said */
	nghttp2_session_callbacks *callbacks;
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
	struct timer shutdown;
	void (*shutdown_done)(void *ctx);
	void *shutdown_ctx;
	bool freed; /* `gone` may ask for it again */
};

__attribute__((format(printf, 2, 3))) static void warn(struct grpc_server *s, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (!s->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->warn(s->warn_ctx, text);
}

/* ---- clients --------------------------------------------------------------------- */

static void on_shutdown_done(void *ctx)
{
	struct grpc_server *s = ctx;

	take(s->shutdown_done)(s->shutdown_ctx);
}

static void leave_server(struct client *c)
{
	struct grpc_server *s = c->server;

	if (!s)
		return;
	TAILQ_REMOVE(&s->clients, c, link);
	c->server = NULL;
	s->is_full = --s->n_clients >= s->max_clients;
	timer_stop(&c->hello);
	h2_free(c->h2);
	s->n_awaited -= c->awaited;
	if (s->shutdown_done && c->awaited && !s->n_awaited)
		timer_start(&s->shutdown, s->shared.reactor, 0, on_shutdown_done, s);
}

/* `gone` may free the server, which comes here again; whoever is first frees the memory. */
static void client_free(struct client *c)
{
	bool busy = c->busy;

	c->busy = true;
	served_lose_all(c);
	leave_server(c);
	if (!busy)
		free(c);
}

static void on_broken(void *owner, const struct err *err)
{
	struct client *c = owner;

	if (err->code == -EPROTO || err->code == -EKEYREJECTED)
		warn(c->server, "a client's connection: %s", err->text);
	client_free(c);
}

static void on_silent(void *ctx)
{
	struct client *c = ctx;

	warn(c->server, "a client's connection: no HTTP/2 within %llu s", HELLO_NS / 1000000000);
	client_free(c);
}

static void add_client(struct grpc_server *s, int fd, struct tls *tls)
{
	struct client *c = xnew(struct client);
	const struct h2_options o = {
		.tls = tls, .callbacks = s->callbacks, .broken = on_broken, .owner = c};
	bool is_far = address_tune(fd);
	struct err err;

	if (h2_server_new(s->shared.reactor, fd, &o, &c->h2, &err)) {
		warn(s, "a client's connection: %s", err.text);
		free(c);
		return;
	}
	c->server = s;
	c->shared = &s->shared;
	TAILQ_INIT(&c->calls);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->n_clients++;
	if (is_far)
		timer_start(&c->hello, s->shared.reactor, HELLO_NS, on_silent, c);
}

/* ---- listening ------------------------------------------------------------------- */

static void on_pause_over(void *ctx)
{
	struct listener *l = ctx;

	watch_change(&l->watch, EPOLLIN);
}

/* False: no more now. */
static bool accept_one(struct listener *l)
{
	struct grpc_server *s = l->server;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		warn(s, "accepting a client: %s", strerror(errno));
		watch_change(&l->watch, 0);
		timer_start(&l->pause, s->shared.reactor, OUT_OF_FDS_NS, on_pause_over, l);
		return false;
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (s->n_clients < s->max_clients) {
		add_client(s, fd, l->tls);
		return true;
	}
	close(fd);
	if (!s->is_full)
		warn(s, "more than %zu clients: one more is sent away", s->max_clients);
	s->is_full = true;
	return true;
}

static void on_listener(void *ctx, uint32_t events)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(ctx); i++)
		;
}

static void listener_free(struct listener *l)
{
	TAILQ_REMOVE(&l->server->listeners, l, link);
	watch_remove(&l->watch);
	timer_stop(&l->pause);
	closep(&l->fd);
	free(l);
}

int grpc_server_listen(struct grpc_server *s, int fd, struct tls *tls, struct err *err)
{
	struct listener *l = xnew(struct listener);
	int r;

	l->server = s;
	l->fd = fd;
	l->tls = tls;
	TAILQ_INSERT_TAIL(&s->listeners, l, link);
	r = watch_add(&l->watch, s->shared.reactor, fd, EPOLLIN, on_listener, l);
	if (!r)
		return 0;
	listener_free(l);
	return err_set(err, r, "waiting for clients: %s", strerror(-r));
}

/* ---- life ------------------------------------------------------------------------ */

int grpc_server_new(struct reactor *r, const struct grpc_server_options *o,
		    struct grpc_server **ret, struct err *err)
{
	static const struct grpc_server_options none;
	struct grpc_server *s = xnew(struct grpc_server);

	o = o ? o : &none;
	s->shared.reactor = r;
	s->shared.max_message = o->max_message ? o->max_message : MAX_SERVED_MESSAGE_BYTES;
	s->max_clients = o->max_connections ? o->max_connections : MAX_SERVED_CONNECTIONS;
	s->warn = o->warn;
	s->warn_ctx = o->ctx;
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->clients);
	if (nghttp2_session_callbacks_new(&s->callbacks))
		abort(); /* out of memory, as in xnew() */
	served_set_callbacks(s->callbacks);
	*ret = s;
	return 0;
}

static void stop_listening(struct grpc_server *s)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)))
		listener_free(l);
}

struct grpc_server *grpc_server_free(struct grpc_server *s)
{
	struct client *c;

	if (!s || s->freed)
		return NULL;
	s->freed = true;
	s->shutdown_done = NULL;
	stop_listening(s);
	while ((c = TAILQ_FIRST(&s->clients)))
		client_free(c);
	timer_stop(&s->shutdown);
	nghttp2_session_callbacks_del(s->callbacks);
	free(s->shared.services);
	free(s);
	return NULL;
}

void grpc_server_add(struct grpc_server *s, const struct grpc_method *methods, void *ctx)
{
	struct calls_shared *shared = &s->shared;

	*grow(&shared->services, &shared->n_services, &shared->services_room) =
		(struct service){methods, ctx};
}

size_t grpc_server_connections(const struct grpc_server *s)
{
	return s->n_clients;
}

/* nghttp2 takes no new streams after that, and wants no more when the last has ended. */
static void say_goodbye(struct client *c)
{
	nghttp2_session *session = h2_session(c->h2);

	nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	h2_wake(c->h2);
}

void grpc_server_shutdown(struct grpc_server *s, uint64_t ns, void (*done)(void *ctx), void *ctx)
{
	struct client *c;

	stop_listening(s);
	s->shutdown_done = done;
	s->shutdown_ctx = ctx;
	TAILQ_FOREACH(c, &s->clients, link) {
		c->awaited = !TAILQ_EMPTY(&c->calls);
		s->n_awaited += c->awaited;
		say_goodbye(c);
		served_stop_all(c);
	}
	timer_start(&s->shutdown, s->shared.reactor, s->n_awaited ? ns : 0, on_shutdown_done, s);
}
