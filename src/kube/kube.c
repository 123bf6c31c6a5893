// SPDX-License-Identifier: Apache-2.0
#include "kube/kube.h"

#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "kube/proxy.h"
#include "kube/server.h"
#include "net/http1.h"
#include "net/unix.h"

#define GET_NS (30 * 1000000000ull)

struct kube {
	struct reactor *reactor;
	struct proxy proxy;
};

int kube_open(const struct kube_options *o, struct reactor *r, struct kube **ret, struct err *err)
{
	struct kube *k = xnew(struct kube);
	int code = proxy_start(&k->proxy, o->flags, r, err);

	k->reactor = r;
	if (code) {
		kube_close(k);
		return code;
	}
	*ret = k;
	return 0;
}

struct kube *kube_close(struct kube *k)
{
	if (k) {
		proxy_end(&k->proxy);
		free(k);
	}
	return NULL;
}

struct reactor *kube_reactor(const struct kube *k)
{
	return k->reactor;
}

int kube_connect(const struct kube *k, struct err *err)
{
	int fd = unix_connect(k->proxy.socket);

	if (fd != -ECONNREFUSED)
		return fd < 0 ? err_set(err, fd, "kubectl proxy: %s", strerror(-fd)) : fd;
	return err_set(err, -EHOSTUNREACH, "kubectl proxy has ended%s%s",
		       k->proxy.last.len ? ": " : "", k->proxy.last.len ? k->proxy.last.data : "");
}

/* ---- refusals -------------------------------------------------------------------- */

/* The API server's own words: a Status has a message; else the first line of the body. */
static void add_words(struct buf *out, const struct buf *body)
{
	json_t *status = body->len ? json_loadb(body->data, body->len, 0, NULL) : NULL;
	const char *message = json_string_value(json_object_get(status, "message"));

	if (message)
		escape_text(out, message, strlen(message));
	else if (body->len)
		escape_text(out, body->data, strcspn(body->data, "\r\n"));
	json_decref(status);
}

static bool is_json(const struct buf *body)
{
	return body->len && body->data[0] == '{';
}

int kube_refusal(unsigned int status, const struct buf *body, const char *what, struct err *err)
{
	_cleanup_(buf_done) struct buf words = {.max = 4096};

	add_words(&words, body);
	/* What the proxy itself says is no JSON. */
	if (status >= 500 && !is_json(body))
		return err_set(err, -EHOSTUNREACH,
			       "no cluster: the API server cannot be reached: %s",
			       buf_cstr(&words));
	if (status == 401)
		return err_set(err, -EACCES, "the cluster does not accept your credentials: %s",
			       buf_cstr(&words));
	if (status == 403)
		return err_set(err, -EPERM, "%s: not allowed: %s", what, buf_cstr(&words));
	if (status == 404)
		return err_set(err, -ENOENT, "%s: %s", what, buf_cstr(&words));
	return err_set(err, -EIO, "%s: HTTP status %u: %s", what, status, buf_cstr(&words));
}

/* ---- questions ------------------------------------------------------------------- */

struct question {
	const char *what;
	bool done;
	int code;
	struct err err;
	json_t *answer;
};

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct question *q = ctx;

	q->done = true;
	if (err) {
		q->code = err_set(&q->err, err->code, "%s: %s", q->what, err->text);
	} else if (status != 200) {
		q->code = kube_refusal(status, body, q->what, &q->err);
	} else {
		q->answer = json_loadb(buf_cstr(body), body->len, 0, NULL);
		if (!q->answer)
			q->code = err_set(&q->err, -EBADMSG, "%s: the answer is no JSON", q->what);
	}
}

int kube_get(struct kube *k, const char *path, const char *what, json_t **ret, struct err *err)
{
	struct pollfd p = {.fd = reactor_fd(k->reactor), .events = POLLIN};
	struct question q = {.what = what};
	struct http1_get *get;
	int fd = kube_connect(k, err);

	if (fd < 0)
		return fd;
	get = http1_get(k->reactor, fd, path, MAX_KUBE_ANSWER_BYTES, GET_NS, on_answer, &q);
	while (!q.done) {
		if (poll(&p, 1, -1) < 0) { /* a signal: who waits wants to end */
			int code = -errno;

			http1_cancel(get);
			return err_set(err, code, "waiting for the cluster: %s", strerror(-code));
		}
		reactor_dispatch(k->reactor);
	}
	if (q.code && err)
		*err = q.err;
	if (!q.code)
		*ret = q.answer;
	return q.code;
}

/* ---- as a server that is asked ---------------------------------------------------- */

#define MAX_WATCH_PART (4u << 20)

struct proxied {
	struct kube_server server; /* first */
	struct kube *kube;
	struct http1_get *get;
};

/* The proxy ends with the API server's answer, so its silence is not watched. */
static int ask(struct kube_server *server, const struct kube_request *q, struct err *err)
{
	struct proxied *s = (struct proxied *)server;
	int fd = kube_connect(s->kube, err);

	if (fd < 0)
		return fd;
	s->get = q->on_part ? http1_stream(s->kube->reactor, fd, q->path, MAX_WATCH_PART,
					   q->on_part, q->done, q->ctx)
			    : http1_get(s->kube->reactor, fd, q->path, q->max_body, q->silence_ns,
					q->done, q->ctx);
	return 0;
}

static void cancel(struct kube_server *server)
{
	struct proxied *s = (struct proxied *)server;

	s->get = http1_cancel(s->get);
}

static void forsake(struct kube_server *server)
{
}

static void free_server(struct kube_server *server)
{
	free(server);
}

struct kube_server *kube_server(struct kube *k)
{
	static const struct kube_server_ops ops = {ask, cancel, forsake, free_server};
	struct proxied *s = xnew(struct proxied);

	*s = (struct proxied){.server = {&ops}, .kube = k};
	return &s->server;
}

void kube_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr("-._~", c))
			buf_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}
