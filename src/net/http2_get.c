// SPDX-License-Identifier: Apache-2.0
/*
 * GETs over HTTP/2; see http2_get.h. A request that ends first leaves its client and stream, so
 * that nghttp2 has no pointer to it any more, and is called back then.
 */
#include "net/http2_get.h"

#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "net/h2.h"

#define MAX_PATH_BYTES 8192

TAILQ_HEAD(gets, http2_get);

struct http2_client {
	struct reactor *reactor;
	struct h2 *h2;
	struct gets gets;
	char *authority;
	const char *scheme;
	struct err broken; /* why no more requests are taken */
};

struct http2_get {
	TAILQ_ENTRY(http2_get) link;
	struct http2_client *client;
	int32_t stream;	    /* 0: none, or closed */
	struct timer timer; /* silence; or at once, where it failed */
	struct err failed;
	uint64_t silence_ns;
	unsigned int status;
	struct buf body;
	void (*on_part)(void *ctx, const char *bytes, size_t n);
	void (*done)(void *ctx, const struct err *err, unsigned int status, struct buf *body);
	void *ctx;
};

/* ---- the end of a request -------------------------------------------------------- */

static void forget_stream(struct http2_get *g)
{
	nghttp2_session_set_stream_user_data(h2_session(g->client->h2), g->stream, NULL);
	g->stream = 0;
}

static void leave(struct http2_get *g)
{
	struct http2_client *c = g->client;

	timer_stop(&g->timer);
	TAILQ_REMOVE(&c->gets, g, link);
	if (!g->stream)
		return;
	nghttp2_submit_rst_stream(h2_session(c->h2), NGHTTP2_FLAG_NONE, g->stream, NGHTTP2_CANCEL);
	forget_stream(g);
	h2_wake(c->h2);
}

static void destroy(struct http2_get *g)
{
	buf_done(&g->body);
	free(g);
}

struct http2_get *http2_cancel(struct http2_get *g)
{
	if (!g)
		return NULL;
	leave(g);
	destroy(g);
	return NULL;
}

static void finish(struct http2_get *g, const struct err *err)
{
	leave(g);
	if (err)
		g->done(g->ctx, err, 0, NULL);
	else
		g->done(g->ctx, NULL, g->status, &g->body);
	destroy(g);
}

static void on_timer(void *ctx)
{
	struct http2_get *g = ctx;

	if (!g->failed.code)
		err_set(&g->failed, -ETIMEDOUT, "the server was silent for %llu ms",
			(unsigned long long)(g->silence_ns / 1000000));
	finish(g, &g->failed);
}

static void fail_later(struct http2_get *g, const struct err *err)
{
	g->failed = *err;
	timer_start(&g->timer, g->client->reactor, 0, on_timer, g);
}

static void heard(struct http2_get *g)
{
	if (!g->failed.code)
		timer_start(&g->timer, g->client->reactor, g->silence_ns, on_timer, g);
}

/* ---- the answer ------------------------------------------------------------------ */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct http2_get *g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	char text[4] = "";
	uint64_t status;

	if (!g || name_len != strlen(":status") || memcmp(name, ":status", name_len))
		return 0;
	heard(g);
	if (value_len == 3)
		memcpy(text, value, value_len); /* nghttp2 has seen that it is a number */
	g->status = parse_u64(text, &status) ? 0 : (unsigned int)status;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
		   size_t n, void *user_data)
{
	struct http2_get *g = nghttp2_session_get_stream_user_data(session, stream);
	struct err err;

	if (!g || g->failed.code)
		return 0;
	heard(g);
	if (g->on_part && g->status == 200) {
		g->on_part(g->ctx, (const char *)bytes, n);
		return 0;
	}
	buf_add(&g->body, bytes, n);
	if (g->body.failed) {
		err_set(&err, -EMSGSIZE, "the answer is longer than %zu bytes", g->body.max);
		finish(g, &err);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user_data)
{
	struct http2_get *g = nghttp2_session_get_stream_user_data(session, stream);
	struct err err;

	if (!g)
		return 0;
	forget_stream(g);
	if (code == NGHTTP2_NO_ERROR && g->status) {
		finish(g, NULL);
		return 0;
	}
	err_set(&err, -ECONNRESET, "the answer was cut off: %s", nghttp2_http2_strerror(code));
	finish(g, &err);
	return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code,
		       void *user_data)
{
	struct http2_get *g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct err err;

	if (!g || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	forget_stream(g);
	err_set(&err, -ECONNRESET, "not sent: %s", nghttp2_strerror(code));
	finish(g, &err);
	return 0;
}

/* A GOAWAY of the server's: requests that it has not begun are closed by nghttp2, one by one. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct http2_client *c = h2_owner(user_data);

	if (c && frame->hd.type == NGHTTP2_GOAWAY)
		err_set(&c->broken, -ESHUTDOWN, "the server closes the connection: %s",
			nghttp2_http2_strerror(frame->goaway.error_code));
	return 0;
}

static void on_h2_broken(void *owner, const struct err *err)
{
	struct http2_client *c = owner;
	struct http2_get *g;

	c->broken = *err;
	TAILQ_FOREACH(g, &c->gets, link)
		fail_later(g, err);
}

/* ---- the request ----------------------------------------------------------------- */

/* Headers hold names and secrets from outside: none may be more than a value. */
static bool is_value(const char *text)
{
	return nghttp2_check_header_value((const uint8_t *)text, strlen(text));
}

static bool is_path(const char *path)
{
	size_t n = strcspn(path, " ");

	return path[0] == '/' && !path[n] && n <= MAX_PATH_BYTES && is_value(path);
}

static int submit(struct http2_get *g, const struct http2_request *q, struct err *err)
{
	struct http2_client *c = g->client;
	nghttp2_nv pairs[7];
	size_t n = 0;
	int32_t stream;

	if (!is_path(q->path) || (q->authorization && !is_value(q->authorization)))
		return err_set(err, -EINVAL, "not a path or header that can be sent");
	pairs[n++] = h2_header(":method", "GET");
	pairs[n++] = h2_header(":scheme", c->scheme);
	pairs[n++] = h2_header(":path", q->path);
	pairs[n++] = h2_header(":authority", c->authority);
	pairs[n++] = h2_header("accept", q->accept ?: "*/*");
	pairs[n++] = h2_header("user-agent", "ig/" IG_VERSION);
	if (q->authorization)
		pairs[n++] = h2_header("authorization", q->authorization);
	stream = nghttp2_submit_request(h2_session(c->h2), NULL, pairs, n, NULL, g);
	if (stream < 0)
		return err_set(err, -ECONNRESET, "not sent: %s", nghttp2_strerror(stream));
	g->stream = stream;
	h2_wake(c->h2);
	return 0;
}

struct http2_get *http2_get(struct http2_client *c, const struct http2_request *q)
{
	struct http2_get *g = xnew(struct http2_get);
	struct err err = c->broken;

	g->client = c;
	g->silence_ns = q->silence_ns;
	g->on_part = q->on_part;
	g->done = q->done;
	g->ctx = q->ctx;
	buf_init(&g->body, q->max_body);
	TAILQ_INSERT_TAIL(&c->gets, g, link);
	if (!err.code)
		submit(g, q, &err);
	if (err.code)
		fail_later(g, &err);
	else
		heard(g);
	return g;
}

/* ---- client ---------------------------------------------------------------------- */

bool http2_client_broken(const struct http2_client *c)
{
	return c->broken.code;
}

int http2_client_new(struct reactor *r, int fd, struct tls *tls, const char *authority,
		     struct http2_client **ret, struct err *err)
{
	struct http2_client *c = xnew(struct http2_client);
	nghttp2_session_callbacks *callbacks;
	struct h2_options o;
	int code;

	c->reactor = r;
	TAILQ_INIT(&c->gets);
	c->authority = xstrdup(authority);
	c->scheme = tls ? "https" : "http";
	if (nghttp2_session_callbacks_new(&callbacks))
		abort(); /* out of memory, as in xnew() */
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	o = (struct h2_options){
		.tls = tls, .callbacks = callbacks, .broken = on_h2_broken, .owner = c};
	code = h2_client_new(r, fd, &o, &c->h2, err);
	nghttp2_session_callbacks_del(callbacks);
	if (code) {
		http2_client_free(c);
		return code;
	}
	*ret = c;
	return 0;
}

struct http2_client *http2_client_free(struct http2_client *c)
{
	struct http2_get *g;

	if (!c)
		return NULL;
	while ((g = TAILQ_FIRST(&c->gets)))
		http2_cancel(g);
	h2_free(c->h2);
	free(c->authority);
	free(c);
	return NULL;
}
