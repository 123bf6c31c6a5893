// SPDX-License-Identifier: Apache-2.0
/*
 * Channels and calls; see grpc.h. A call that ends first leaves its channel and stream, so that
 * nghttp2 has no pointer to it any more, and is called back then.
 */
#include "net/grpc.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/grpc_queue.h"
#include "net/grpc_wire.h"
#include "net/h2.h"

TAILQ_HEAD(calls, grpc_call);

struct grpc_channel {
	struct reactor *reactor;
	struct h2 *h2;
	struct calls calls;
	size_t held; /* bytes allocated for the messages of its calls */
	char *authority;
	bool is_tls;
	size_t max_message;
	struct err broken; /* why no more calls are taken */
	void (*on_broken)(void *ctx, const struct err *err);
	void *ctx;
};

struct grpc_call {
	TAILQ_ENTRY(grpc_call) link;
	struct grpc_channel *channel; /* NULL: it has ended */
	int32_t stream;		      /* 0: none, or closed */
	struct timer timer;	      /* the deadline; or at once, where it `failed` */
	uint64_t deadline_ns;
	struct grpc_queue requests;

	size_t header_bytes;
	unsigned int http_status;
	bool is_grpc; /* by its content-type */
	bool has_status, failed;
	enum grpc_status status;
	struct buf text;
	struct grpc_frames frames;
	size_t held, n_messages;

	grpc_message_fn *on_message; /* NULL: unary */
	grpc_done_fn *done;
	void *ctx;
	bool busy; /* in a callback: who ends the call leaves its memory to the callback's caller */
};

/* ---- the end of a call ----------------------------------------------------------- */

static void destroy(struct grpc_call *c)
{
	grpc_queue_done(&c->requests);
	buf_done(&c->text);
	grpc_frames_done(&c->frames);
	free(c);
}

/* For a stream that nghttp2 is about to close, or has closed. */
static void forget_stream(struct grpc_call *c)
{
	nghttp2_session_set_stream_user_data(h2_session(c->channel->h2), c->stream, NULL);
	c->stream = 0;
}

static void leave_stream(struct grpc_call *c)
{
	if (!c->stream)
		return;
	nghttp2_submit_rst_stream(h2_session(c->channel->h2), NGHTTP2_FLAG_NONE, c->stream,
				  NGHTTP2_CANCEL);
	h2_wake(c->channel->h2);
	forget_stream(c);
}

static void leave_channel(struct grpc_call *c)
{
	leave_stream(c);
	timer_stop(&c->timer);
	TAILQ_REMOVE(&c->channel->calls, c, link);
	c->channel->held -= c->held;
	c->channel = NULL;
}

struct grpc_call *grpc_call_cancel(struct grpc_call *c)
{
	if (!c || !c->channel)
		return NULL;
	leave_channel(c);
	if (!c->busy)
		destroy(c);
	return NULL;
}

static void finish(struct grpc_call *c, enum grpc_status status, const char *text)
{
	struct grpc_reply reply = {.status = status, .text = text};
	bool busy = c->busy;

	if (status == GRPC_OK && !c->on_message) {
		reply.bytes = c->frames.message.data;
		reply.len = c->frames.message.len;
	}
	leave_channel(c);
	c->busy = true;
	c->done(c->ctx, &reply);
	c->busy = busy;
	if (!busy)
		destroy(c);
}

__attribute__((format(printf, 3, 4))) static void
finish_with(struct grpc_call *c, enum grpc_status status, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finish(c, status, text);
}

static void on_timer(void *ctx)
{
	struct grpc_call *c = ctx;

	if (c->failed)
		finish(c, c->status, buf_cstr(&c->text));
	else
		finish_with(c, GRPC_DEADLINE_EXCEEDED, "no answer within %llu ms",
			    (unsigned long long)(c->deadline_ns / 1000000));
}

/* For where nothing may be called back: the reactor does it next. */
static void finish_later(struct grpc_call *c, enum grpc_status status, const char *text)
{
	if (c->failed)
		return;
	leave_stream(c);
	c->failed = true;
	c->status = status;
	buf_clear(&c->text);
	buf_str(&c->text, text);
	timer_start(&c->timer, c->channel->reactor, 0, on_timer, c);
}

/* ---- headers --------------------------------------------------------------------- */

static void take_http_status(struct grpc_call *c, const char *value, size_t len)
{
	c->http_status = 0; /* nghttp2 has seen to it that there are three digits */
	for (size_t i = 0; i < len; i++)
		c->http_status = c->http_status * 10 + (unsigned int)(value[i] - '0');
}

static void take_content_type(struct grpc_call *c, const char *value, size_t len)
{
	c->is_grpc = grpc_is_content_type(value, len);
}

static void take_status(struct grpc_call *c, const char *value, size_t len)
{
	size_t digits = strspn(value, "0123456789");
	unsigned int status = GRPC_UNAUTHENTICATED + 1;

	if (digits == len && len == 1)
		status = (unsigned int)(value[0] - '0');
	else if (digits == len && len == 2)
		status = (unsigned int)((value[0] - '0') * 10 + value[1] - '0');
	c->has_status = true;
	c->status = status <= GRPC_UNAUTHENTICATED ? (enum grpc_status)status : GRPC_UNKNOWN;
}

static void take_text(struct grpc_call *c, const char *value, size_t len)
{
	buf_clear(&c->text);
	grpc_percent_decode(value, len, &c->text);
}

static const struct header {
	const char *name;
	void (*fn)(struct grpc_call *c, const char *value, size_t len);
} headers[] = {
	{":status", take_http_status},
	{"content-type", take_content_type},
	{"grpc-status", take_status},
	{"grpc-message", take_text},
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t len, uint8_t flags,
		     void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (!c)
		return 0;
	c->header_bytes += name_len + len + 32; /* as RFC 9113, 6.5.2 counts them */
	if (c->header_bytes > MAX_HTTP_HEADER_BYTES) {
		finish_with(c, GRPC_RESOURCE_EXHAUSTED, "more than %d bytes of headers",
			    MAX_HTTP_HEADER_BYTES);
		return 0;
	}
	for (size_t i = 0; i < array_size(headers); i++)
		if (!strcmp((const char *)name, headers[i].name))
			headers[i].fn(c, (const char *)value, len);
	return 0;
}

/* What answered is no gRPC server, or a proxy before one: doc/http-grpc-status-mapping.md */
static void finish_by_http(struct grpc_call *c)
{
	static const struct {
		unsigned int http;
		enum grpc_status status;
	} map[] = {
		{400, GRPC_INTERNAL},	       {401, GRPC_UNAUTHENTICATED},
		{403, GRPC_PERMISSION_DENIED}, {404, GRPC_UNIMPLEMENTED},
		{429, GRPC_UNAVAILABLE},       {502, GRPC_UNAVAILABLE},
		{503, GRPC_UNAVAILABLE},       {504, GRPC_UNAVAILABLE},
	};
	enum grpc_status status = GRPC_UNKNOWN;

	for (size_t i = 0; i < array_size(map); i++)
		if (map[i].http == c->http_status)
			status = map[i].status;
	finish_with(c, status, "the answer is not gRPC; its HTTP status is %u", c->http_status);
}

/* ---- messages -------------------------------------------------------------------- */

static void hold(struct grpc_call *c)
{
	size_t now = c->frames.message.room;

	c->channel->held += now - c->held;
	c->held = now;
}

/* False: the call is gone. */
static bool take_message(struct grpc_call *c)
{
	const struct buf *m = &c->frames.message;

	c->n_messages++;
	if (!c->on_message && c->n_messages > 1) {
		finish(c, GRPC_INTERNAL, "the answer has more than one message");
		return false;
	}
	if (!c->on_message)
		return true;
	c->busy = true;
	c->on_message(c->ctx, m->data, m->len);
	c->busy = false;
	if (c->channel)
		return true;
	destroy(c);
	return false;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
		   size_t n, void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);
	int r;

	if (!c)
		return 0;
	while ((r = grpc_frames_feed(&c->frames, &bytes, &n)) > 0)
		if (!take_message(c))
			return 0;
	hold(c);
	if (r == -EMSGSIZE)
		finish_with(c, GRPC_RESOURCE_EXHAUSTED,
			    "a message has more than the %zu bytes allowed", c->frames.message.max);
	else if (r)
		finish(c, GRPC_INTERNAL, "a message is compressed, which was not agreed");
	else if (c->channel->held > MAX_GRPC_HELD_BYTES)
		finish_with(c, GRPC_RESOURCE_EXHAUSTED,
			    "the channel's answers have more than the %u bytes allowed",
			    MAX_GRPC_HELD_BYTES);
	return 0;
}

/* ---- frames ---------------------------------------------------------------------- */

static void end_stream(struct grpc_call *c)
{
	/* Where we have said all as well nghttp2 closes the stream now; else it has to be reset. */
	if (nghttp2_session_get_stream_local_close(h2_session(c->channel->h2), c->stream) == 1)
		forget_stream(c);
	if (!c->has_status && (c->http_status != 200 || !c->is_grpc))
		finish_by_http(c);
	else if (!c->has_status)
		finish(c, GRPC_UNKNOWN, "the answer ended without a status");
	else if (c->status != GRPC_OK)
		finish(c, c->status, buf_cstr(&c->text));
	else if (!grpc_frames_between(&c->frames))
		finish(c, GRPC_INTERNAL, "the answer ended within a message");
	else if (!c->on_message && !c->n_messages)
		finish(c, GRPC_INTERNAL, "the answer has no message");
	else
		finish(c, GRPC_OK, "");
}

static void break_channel(struct grpc_channel *ch, const struct err *err)
{
	bool told = ch->broken.code;

	ch->broken = *err;
	if (!told && ch->on_broken)
		ch->on_broken(ch->ctx, err);
}

/* The server takes no new calls; those that it has not begun will not be answered. */
static void on_goaway(struct grpc_channel *ch, const nghttp2_goaway *goaway)
{
	struct grpc_call *c;
	struct err err;

	err_set(&err, -ESHUTDOWN, "the server closes the connection: %s%s%.*s",
		nghttp2_http2_strerror(goaway->error_code), goaway->opaque_data_len ? " " : "",
		(int)goaway->opaque_data_len, (const char *)goaway->opaque_data);
	for (c = TAILQ_FIRST(&ch->calls); c; c = TAILQ_NEXT(c, link))
		if (c->stream > goaway->last_stream_id ||
		    !nghttp2_session_find_stream(h2_session(ch->h2), c->stream))
			finish_later(c, GRPC_UNAVAILABLE, err.text);
	break_channel(ch, &err);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct grpc_channel *ch = h2_owner(user_data);
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_GOAWAY && ch)
		on_goaway(ch, &frame->goaway);
	if (!c || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		end_stream(c);
	else if (frame->hd.type == NGHTTP2_HEADERS && c->http_status >= 200 &&
		 (c->http_status != 200 || !c->is_grpc))
		finish_by_http(c);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user_data)
{
	static const enum grpc_status map[] = {
		[NGHTTP2_NO_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_PROTOCOL_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_INTERNAL_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_FLOW_CONTROL_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_SETTINGS_TIMEOUT] = GRPC_INTERNAL,
		[NGHTTP2_STREAM_CLOSED] = GRPC_UNKNOWN,
		[NGHTTP2_FRAME_SIZE_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_REFUSED_STREAM] = GRPC_UNAVAILABLE,
		[NGHTTP2_CANCEL] = GRPC_CANCELLED,
		[NGHTTP2_COMPRESSION_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_CONNECT_ERROR] = GRPC_INTERNAL,
		[NGHTTP2_ENHANCE_YOUR_CALM] = GRPC_RESOURCE_EXHAUSTED,
		[NGHTTP2_INADEQUATE_SECURITY] = GRPC_PERMISSION_DENIED,
		[NGHTTP2_HTTP_1_1_REQUIRED] = GRPC_UNKNOWN,
	};
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);

	if (!c)
		return 0;
	forget_stream(c);
	finish_with(c, code < array_size(map) ? map[code] : GRPC_UNKNOWN, "the call was reset: %s",
		    nghttp2_http2_strerror(code));
	return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code,
		       void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (c && frame->hd.type == NGHTTP2_HEADERS) {
		forget_stream(c);
		finish_with(c, GRPC_UNAVAILABLE, "not sent: %s", nghttp2_strerror(code));
	}
	return 0;
}

static void on_h2_broken(void *owner, const struct err *err)
{
	struct grpc_channel *ch = owner;
	struct grpc_call *c;

	for (c = TAILQ_FIRST(&ch->calls); c; c = TAILQ_NEXT(c, link))
		finish_later(c, GRPC_UNAVAILABLE, err->text);
	break_channel(ch, err);
}

/* ---- the start of a call --------------------------------------------------------- */

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room,
			    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	/* Not by `source`: a call may be gone before its stream is. */
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);

	return c ? grpc_queue_read(&c->requests, to, room, flags)
		 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool is_sendable(const struct grpc_metadata *m)
{
	return nghttp2_check_header_name((const uint8_t *)m->name, strlen(m->name)) &&
	       m->name[0] != ':' &&
	       nghttp2_check_header_value((const uint8_t *)m->value, strlen(m->value));
}

/* 0 or nghttp2's error. */
static int submit(struct grpc_call *c, const struct grpc_request *q)
{
	const nghttp2_data_provider body = {.read_callback = read_request};
	_cleanup_(freep) nghttp2_nv *pairs = xnew_n(nghttp2_nv, 8 + q->n_metadata);
	char timeout[GRPC_TIMEOUT_BYTES];
	size_t n = 0;
	int32_t stream;

	pairs[n++] = h2_header(":method", "POST");
	pairs[n++] = h2_header(":scheme", c->channel->is_tls ? "https" : "http");
	pairs[n++] = h2_header(":path", q->method);
	pairs[n++] = h2_header(":authority", c->channel->authority);
	pairs[n++] = h2_header("te", "trailers");
	if (q->deadline_ns) {
		grpc_put_timeout(q->deadline_ns, timeout);
		pairs[n++] = h2_header("grpc-timeout", timeout);
	}
	pairs[n++] = h2_header("content-type", "application/grpc");
	pairs[n++] = h2_header("user-agent", "ig/" IG_VERSION);
	for (size_t i = 0; i < q->n_metadata; i++) {
		if (!is_sendable(&q->metadata[i]))
			return NGHTTP2_ERR_INVALID_ARGUMENT;
		pairs[n++] = h2_header(q->metadata[i].name, q->metadata[i].value);
	}
	stream = nghttp2_submit_request(h2_session(c->channel->h2), NULL, pairs, n, &body, c);
	if (stream < 0)
		return stream;
	c->stream = stream;
	h2_wake(c->channel->h2);
	return 0;
}

static void check_and_submit(struct grpc_call *c, const struct grpc_request *q)
{
	struct grpc_channel *ch = c->channel;
	int r;

	if (ch->broken.code)
		finish_later(c, GRPC_UNAVAILABLE, ch->broken.text);
	else if (q->len > MAX_GRPC_MESSAGE_BYTES)
		finish_later(c, GRPC_RESOURCE_EXHAUSTED, "the request is too long");
	else if (nghttp2_session_get_outbound_queue_size(h2_session(ch->h2)) > MAX_GRPC_WAITING)
		finish_later(c, GRPC_RESOURCE_EXHAUSTED, "too many calls wait to be sent");
	else if ((r = submit(c, q)))
		finish_later(c,
			     r == NGHTTP2_ERR_INVALID_ARGUMENT ? GRPC_INVALID_ARGUMENT
							       : GRPC_UNAVAILABLE,
			     nghttp2_strerror(r));
}

static struct grpc_call *start(struct grpc_channel *ch, const struct grpc_request *q,
			       grpc_message_fn *on_message, grpc_done_fn *done, void *ctx)
{
	struct grpc_call *c = xnew(struct grpc_call);

	c->channel = ch;
	c->on_message = on_message;
	c->done = done;
	c->ctx = ctx;
	c->deadline_ns = q->deadline_ns;
	grpc_queue_init(&c->requests);
	buf_init(&c->text, MAX_HTTP_HEADER_BYTES);
	grpc_frames_init(&c->frames, ch->max_message);
	TAILQ_INSERT_TAIL(&ch->calls, c, link);
	if (q->deadline_ns)
		timer_start(&c->timer, ch->reactor, q->deadline_ns, on_timer, c);
	check_and_submit(c, q);
	return c;
}

static struct grpc_call *start_with_message(struct grpc_channel *ch, const struct grpc_request *q,
					    grpc_message_fn *on_message, grpc_done_fn *done,
					    void *ctx)
{
	struct grpc_call *c = start(ch, q, on_message, done, ctx);

	grpc_call_send(c, q->bytes, q->len);
	grpc_call_half_close(c);
	return c;
}

struct grpc_call *grpc_call_unary(struct grpc_channel *ch, const struct grpc_request *request,
				  grpc_done_fn *done, void *ctx)
{
	return start_with_message(ch, request, NULL, done, ctx);
}

struct grpc_call *grpc_call_stream(struct grpc_channel *ch, const struct grpc_request *request,
				   grpc_message_fn *on_message, grpc_done_fn *done, void *ctx)
{
	return start_with_message(ch, request, on_message, done, ctx);
}

struct grpc_call *grpc_call_open(struct grpc_channel *ch, const struct grpc_request *request,
				 grpc_message_fn *on_message, grpc_done_fn *done, void *ctx)
{
	struct grpc_call *c = start(ch, request, on_message, done, ctx);

	if (request->bytes)
		grpc_call_send(c, request->bytes, request->len);
	return c;
}

/* ---- what is sent in a call ------------------------------------------------------ */

static void resume(struct grpc_call *c)
{
	grpc_queue_resume(&c->requests, h2_session(c->channel->h2), c->stream);
	h2_wake(c->channel->h2);
}

void grpc_call_send(struct grpc_call *c, const void *bytes, size_t len)
{
	if (!c->stream || c->requests.closed)
		return; /* its end is on its way */
	if (len > MAX_GRPC_MESSAGE_BYTES) {
		finish_later(c, GRPC_RESOURCE_EXHAUSTED, "the request is too long");
		return;
	}
	grpc_queue_put(&c->requests, bytes, len);
	resume(c);
}

size_t grpc_call_queued(const struct grpc_call *c)
{
	return grpc_queue_left(&c->requests);
}

void grpc_call_half_close(struct grpc_call *c)
{
	if (!c->stream)
		return;
	grpc_queue_close(&c->requests);
	resume(c);
}

/* ---- channel --------------------------------------------------------------------- */

int grpc_channel_new(struct reactor *r, int fd, const struct grpc_channel_options *options,
		     struct grpc_channel **ret, struct err *err)
{
	static const struct grpc_channel_options none;
	const struct grpc_channel_options *o = options ? options : &none;
	struct grpc_channel *ch = xnew(struct grpc_channel);
	nghttp2_session_callbacks *callbacks;
	struct h2_options h2;
	int code;

	ch->reactor = r;
	TAILQ_INIT(&ch->calls);
	ch->authority = xstrdup(o->authority ? o->authority : "localhost");
	ch->is_tls = o->tls;
	ch->max_message = o->max_message ? o->max_message : MAX_GRPC_MESSAGE_BYTES;
	ch->on_broken = o->on_broken;
	ch->ctx = o->ctx;
	if (nghttp2_session_callbacks_new(&callbacks))
		abort(); /* out of memory, as in xnew() */
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	h2 = (struct h2_options){.tls = o->tls,
				 .transport = o->transport,
				 .callbacks = callbacks,
				 .broken = on_h2_broken,
				 .owner = ch};
	code = h2_client_new(r, fd, &h2, &ch->h2, err);
	nghttp2_session_callbacks_del(callbacks);
	if (code) {
		grpc_channel_free(ch);
		return code;
	}
	*ret = ch;
	return 0;
}

struct grpc_channel *grpc_channel_free(struct grpc_channel *ch)
{
	struct grpc_call *c;

	if (!ch)
		return NULL;
	while ((c = TAILQ_FIRST(&ch->calls)))
		finish(c, GRPC_CANCELLED, "the channel was closed");
	h2_free(ch->h2);
	free(ch->authority);
	free(ch);
	return NULL;
}
