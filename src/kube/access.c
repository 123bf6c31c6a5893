// SPDX-License-Identifier: Apache-2.0
#include "kube/access.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "kube/server.h"
#include "net/http2_get.h"
#include "net/tls.h"

#define MAX_TOKEN_BYTES 65536

int kube_access_in_cluster(const char *folder, struct kube_access *ret, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	_cleanup_(freep) char *text = NULL;
	struct kube_access a = {0};
	int r;

	if (!host || !port)
		return err_set(err, -ENOENT,
			       "this is no pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
	a.authority = xasprintf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	text = xasprintf("tcp://%s", a.authority);
	r = address_parse(text, &a.server, err);
	if (r) {
		kube_access_done(&a);
		return r;
	}
	a.ca = xasprintf("%s/ca.crt", folder);
	a.token = xasprintf("%s/token", folder);
	*ret = a;
	return 0;
}

void kube_access_done(struct kube_access *a)
{
	address_done(&a->server);
	free(a->authority);
	free(a->ca);
	free(a->token);
	*a = (struct kube_access){0};
}

int kube_access_connect(const struct kube_access *a, struct reactor *r, struct kube_connection *ret,
			struct err *err)
{
	const struct tls_files files = {.ca = a->ca};
	struct kube_connection c = {0};
	int code = tls_client_new(&files, a->server.host, &c.tls, err);
	int fd = code ? code : address_connect_begin(&a->server, err);

	code = fd < 0 ? fd : http2_client_new(r, fd, c.tls, a->authority, &c.http, err);
	if (code)
		kube_connection_close(&c);
	else
		*ret = c;
	return code;
}

void kube_connection_close(struct kube_connection *c)
{
	http2_client_free(c->http);
	tls_free(c->tls);
	*c = (struct kube_connection){0};
}

char *kube_authorization(const struct kube_access *a, struct err *err)
{
	_cleanup_(buf_done) struct buf token = {0};
	int r;

	buf_init(&token, MAX_TOKEN_BYTES);
	r = buf_read_file(&token, AT_FDCWD, a->token);
	if (r) {
		err_set(err, r, "%s: %s", a->token, strerror(-r));
		return NULL;
	}
	return xasprintf("Bearer %.*s", (int)strcspn(buf_cstr(&token), "\r\n"), buf_cstr(&token));
}

/* ---- as a server that is asked ---------------------------------------------------- */

struct access_server {
	struct kube_server server; /* first */
	const struct kube_access *access;
	struct reactor *reactor;
	struct kube_connection connection;
	struct http2_get *get;
};

static int ask(struct kube_server *server, const struct kube_request *q, struct err *err)
{
	struct access_server *s = (struct access_server *)server;
	_cleanup_(freep) char *authorization = kube_authorization(s->access, err);
	int r = authorization ? 0 : err->code;

	/* A server that is about to go said so, and answered what it had been asked. */
	if (s->connection.http && http2_client_broken(s->connection.http))
		kube_connection_close(&s->connection);
	if (!r && !s->connection.http)
		r = kube_access_connect(s->access, s->reactor, &s->connection, err);
	if (r)
		return r;
	s->get = http2_get(s->connection.http, &(struct http2_request){
						       .path = q->path,
						       .accept = "application/json",
						       .authorization = authorization,
						       .max_body = q->max_body,
						       .silence_ns = q->silence_ns,
						       .on_part = q->on_part,
						       .done = q->done,
						       .ctx = q->ctx,
					       });
	return 0;
}

static void cancel(struct kube_server *server)
{
	struct access_server *s = (struct access_server *)server;

	s->get = http2_cancel(s->get);
}

static void forsake(struct kube_server *server)
{
	kube_connection_close(&((struct access_server *)server)->connection);
}

static void free_server(struct kube_server *server)
{
	forsake(server);
	free(server);
}

struct kube_server *kube_access_server(const struct kube_access *access, struct reactor *r)
{
	static const struct kube_server_ops ops = {ask, cancel, forsake, free_server};
	struct access_server *s = xnew(struct access_server);

	*s = (struct access_server){.server = {&ops}, .access = access, .reactor = r};
	return &s->server;
}
