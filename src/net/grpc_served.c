// SPDX-License-Identifier: Apache-2.0
/*
 * A client's calls; see grpc_server.h. A call lives as long as its stream: what has finished waits
 * until nghttp2 has fetched all of its queue and closed the stream.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/grpc_internal.h"
#include "net/h2.h"

#define MAX_TEXT_BYTES 1024 /* of an error; clients take 8 KiB of headers, each byte may take 3 */

/* ---- the end of a call ----------------------------------------------------------- */

static void destroy(struct grpc_served *c)
{
	grpc_frames_done(&c->frames);
	grpc_queue_done(&c->queue);
	buf_done(&c->text);
	free(c);
}

/* The bytes that it takes of what all clients may have. */
static void hold(struct grpc_served *c, size_t bytes)
{
	c->client->shared->held += bytes - c->held;
	c->held = bytes;
}

/* What the client still sends is dropped. */
static void stop_reading(struct grpc_served *c)
{
	grpc_frames_done(&c->frames);
	hold(c, 0);
}

/* After callbacks, in which the call may have ended one way or the other. */
static void leave_busy(struct grpc_served *c)
{
	c->busy = false;
	if (!c->client)
		destroy(c);
	else if (c->finished)
		stop_reading(c);
}

static void tell_gone(struct grpc_served *c)
{
	const struct grpc_served_events *events = take(c->events);

	timer_stop(&c->deadline);
	if (events && !c->finished)
		events->gone(c->ctx, c);
}

/* The stream is no more. */
static void lose(struct grpc_served *c)
{
	nghttp2_session_set_stream_user_data(h2_session(c->client->h2), c->stream, NULL);
	TAILQ_REMOVE(&c->client->calls, c, link);
	hold(c, 0);
	c->client = NULL;
	tell_gone(c);
	if (!c->busy)
		destroy(c);
}

void served_lose_all(struct client *client)
{
	struct grpc_served *c;

	while ((c = TAILQ_FIRST(&client->calls)))
		lose(c);
}

void served_stop_all(struct client *client)
{
	struct grpc_served *c, *next;

	for (c = TAILQ_FIRST(&client->calls); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->events && c->events->stopping)
			c->events->stopping(c->ctx, c);
	}
}

/* ---- answers --------------------------------------------------------------------- */

static void set_text(struct grpc_served *c, const char *text)
{
	buf_clear(&c->text);
	if (text)
		grpc_percent_encode(text, strnlen(text, MAX_TEXT_BYTES), &c->text);
}

/* grpc-status, and grpc-message where there is one. */
static size_t put_status(struct grpc_served *c, char number[4], nghttp2_nv *to)
{
	size_t n = 0;

	snprintf(number, 4, "%u", (unsigned int)c->status % 100);
	to[n++] = h2_header("grpc-status", number);
	if (c->text.len)
		to[n++] = h2_header("grpc-message", buf_cstr(&c->text));
	return n;
}

static ssize_t read_queue(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room,
			  uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct grpc_served *c = nghttp2_session_get_stream_user_data(session, stream);
	nghttp2_nv trailers[2];
	char number[4];
	ssize_t n;

	if (!c)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = grpc_queue_read(&c->queue, to, room, flags);
	if (n >= 0 && *flags & NGHTTP2_DATA_FLAG_EOF) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, stream, trailers, put_status(c, number, trailers));
	} else if (c->was_full && grpc_queue_left(&c->queue) <= GRPC_DRAINED_BYTES) {
		c->was_full = false;
		if (c->events && c->events->drained)
			c->events->drained(c->ctx, c); /* it may be no more after that */
	}
	return n;
}

/* http: the status of HTTP. Where all is said by now, headers are all of the answer. */
static void answer(struct grpc_served *c, const char *http)
{
	const nghttp2_data_provider body = {.read_callback = read_queue};
	bool whole = c->finished && !grpc_queue_left(&c->queue);
	nghttp2_nv headers[5];
	char number[4];
	size_t n = 0;

	c->answered = true;
	headers[n++] = h2_header(":status", http);
	headers[n++] = h2_header("content-type", "application/grpc");
	headers[n++] = h2_header("grpc-accept-encoding", "identity");
	if (whole)
		n += put_status(c, number, headers + n);
	nghttp2_submit_response(h2_session(c->client->h2), c->stream, headers, n,
				whole ? NULL : &body);
	h2_wake(c->client->h2);
}

static void finish(struct grpc_served *c, const char *http, enum grpc_status status,
		   const char *text)
{
	c->finished = true;
	c->status = status;
	set_text(c, text);
	timer_stop(&c->deadline);
	grpc_queue_close(&c->queue);
	if (!c->answered)
		answer(c, http);
	grpc_queue_resume(&c->queue, h2_session(c->client->h2), c->stream);
	h2_wake(c->client->h2);
	if (!c->busy)
		stop_reading(c);
}

/* Ends a call that its method did not end: what is queued is not sent, and `gone` is called. */
static void refuse(struct grpc_served *c, const char *http, enum grpc_status status,
		   const char *text)
{
	const struct grpc_served_events *events = take(c->events);

	if (c->finished)
		return;
	grpc_queue_drop(&c->queue);
	finish(c, http, status, text);
	if (events)
		events->gone(c->ctx, c); /* it may be no more after that */
}

void grpc_served_start(struct grpc_served *c, const struct grpc_served_events *events, void *ctx)
{
	c->events = events;
	c->ctx = ctx;
}

void grpc_served_send(struct grpc_served *c, const void *bytes, size_t len)
{
	if (!c->client || c->finished)
		return;
	grpc_queue_put(&c->queue, bytes, len);
	if (grpc_queue_left(&c->queue) > GRPC_DRAINED_BYTES)
		c->was_full = true;
	if (!c->answered)
		answer(c, "200");
	grpc_queue_resume(&c->queue, h2_session(c->client->h2), c->stream);
	h2_wake(c->client->h2);
}

size_t grpc_served_queued(const struct grpc_served *c)
{
	return grpc_queue_left(&c->queue);
}

void grpc_served_finish(struct grpc_served *c, enum grpc_status status, const char *text)
{
	c->events = NULL;
	if (c->client && !c->finished)
		finish(c, "200", status, text);
}

/* ---- unary methods --------------------------------------------------------------- */

static void on_unary_message(void *ctx, struct grpc_served *c, const void *bytes, size_t len)
{
	if (c->n_messages > 1)
		grpc_served_finish(c, GRPC_UNIMPLEMENTED, "more than one message is sent");
}

static void on_unary_whole(void *ctx, struct grpc_served *c)
{
	const struct buf *m = &c->frames.message;
	_cleanup_(buf_done) struct buf reply = {.max = UINT32_MAX};
	struct err err = {0};
	int r;

	if (!c->n_messages) {
		grpc_served_finish(c, GRPC_UNIMPLEMENTED, "no message is sent");
		return;
	}
	r = c->method->unary(c->method_ctx, m->data ? m->data : "", m->len, &reply, &err);
	if (!r && reply.failed)
		r = -EMSGSIZE;
	if (!r)
		grpc_served_send(c, reply.data, reply.len);
	if (r && !err.text[0])
		err_set(&err, r, "%s", strerror(-r));
	grpc_served_finish(c, status_grpc(r), r ? err.text : NULL);
}

static void on_unary_gone(void *ctx, struct grpc_served *c)
{
}

static const struct grpc_served_events unary_events = {
	.message = on_unary_message,
	.half_closed = on_unary_whole,
	.gone = on_unary_gone,
};

/* ---- headers --------------------------------------------------------------------- */

static void take_method(struct grpc_served *c, const char *value, size_t len)
{
	c->is_post = !strcmp(value, "POST");
}

static void take_path(struct grpc_served *c, const char *value, size_t len)
{
	const struct calls_shared *s = c->client->shared;

	for (size_t i = 0; i < s->n_services; i++)
		for (const struct grpc_method *m = s->services[i].methods; m->path; m++)
			if (!strcmp(value, m->path)) {
				c->method = m;
				c->method_ctx = s->services[i].ctx;
				return;
			}
}

static void take_content_type(struct grpc_served *c, const char *value, size_t len)
{
	c->is_grpc = grpc_is_content_type(value, len);
}

static void take_timeout(struct grpc_served *c, const char *value, size_t len)
{
	c->is_bad_timeout = grpc_parse_timeout(value, len, &c->timeout_ns);
	if (!c->timeout_ns)
		c->timeout_ns = 1; /* it is over: at once */
}

static const struct header {
	const char *name;
	void (*fn)(struct grpc_served *c, const char *value, size_t len);
} headers[] = {
	{":method", take_method},
	{":path", take_path},
	{"content-type", take_content_type},
	{"grpc-timeout", take_timeout},
};

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct client *client = h2_owner(user_data);
	struct grpc_served *c;

	if (!client || frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	c = xnew(struct grpc_served);
	c->client = client;
	c->stream = frame->hd.stream_id;
	grpc_frames_init(&c->frames, client->shared->max_message);
	grpc_queue_init(&c->queue);
	buf_init(&c->text, 3 * MAX_TEXT_BYTES);
	TAILQ_INSERT_TAIL(&client->calls, c, link);
	nghttp2_session_set_stream_user_data(session, c->stream, c);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t len, uint8_t flags,
		     void *user_data)
{
	struct grpc_served *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (!c || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	c->header_bytes += name_len + len + 32; /* as RFC 9113, 6.5.2 counts them */
	for (size_t i = 0; i < array_size(headers); i++)
		if (!strcmp((const char *)name, headers[i].name))
			headers[i].fn(c, (const char *)value, len);
	return 0;
}

static void on_deadline(void *ctx)
{
	refuse(ctx, "200", GRPC_DEADLINE_EXCEEDED, "the client's deadline has passed");
}

static void begin(struct grpc_served *c)
{
	const struct grpc_method *m = c->method;

	if (c->header_bytes > MAX_HTTP_HEADER_BYTES) {
		refuse(c, "200", GRPC_RESOURCE_EXHAUSTED, "the headers are too long");
	} else if (!c->is_post) {
		refuse(c, "405", GRPC_INTERNAL, "gRPC's method is POST");
	} else if (!c->is_grpc) {
		refuse(c, "415", GRPC_INTERNAL, "gRPC's content-type is application/grpc");
	} else if (!m) {
		refuse(c, "200", GRPC_UNIMPLEMENTED, "no such method");
	} else if (c->is_bad_timeout) {
		refuse(c, "200", GRPC_INVALID_ARGUMENT, "grpc-timeout is malformed");
	} else {
		if (c->timeout_ns)
			timer_start(&c->deadline, c->client->shared->reactor, c->timeout_ns,
				    on_deadline, c);
		if (m->unary)
			grpc_served_start(c, &unary_events, c);
		else
			m->begin(c->method_ctx, c);
		if (c->client && !c->events)
			refuse(c, "200", GRPC_INTERNAL, "the method was not begun");
	}
}

/* ---- messages -------------------------------------------------------------------- */

static void take_message(struct grpc_served *c)
{
	const struct buf *m = &c->frames.message;

	c->n_messages++;
	c->events->message(c->ctx, c, m->data ? m->data : "", m->len);
	/* Who streams may be silent for long after a long message; unary ones are read later. */
	if (c->client && c->events != &unary_events)
		buf_done(&c->frames.message);
}

static void take_bytes(struct grpc_served *c, const uint8_t *bytes, size_t n)
{
	const struct calls_shared *s = c->client->shared;
	int r;

	while ((r = grpc_frames_feed(&c->frames, &bytes, &n)) > 0) {
		take_message(c);
		if (!c->events)
			return;
	}
	hold(c, c->frames.message.room);
	if (r == -EMSGSIZE)
		refuse(c, "200", GRPC_RESOURCE_EXHAUSTED, "the message is too long");
	else if (r)
		refuse(c, "200", GRPC_UNIMPLEMENTED, "messages must not be compressed");
	else if (s->held > MAX_GRPC_HELD_BYTES)
		refuse(c, "200", GRPC_RESOURCE_EXHAUSTED, "too many long messages at once");
}

static void half_close(struct grpc_served *c)
{
	if (c->half_closed || !c->events)
		return;
	c->half_closed = true;
	if (!grpc_frames_between(&c->frames))
		refuse(c, "200", GRPC_INTERNAL, "the last message is cut");
	else if (c->events->half_closed)
		c->events->half_closed(c->ctx, c);
}

/* ---- frames ---------------------------------------------------------------------- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
		   size_t n, void *user_data)
{
	struct grpc_served *c = nghttp2_session_get_stream_user_data(session, stream);

	if (!c || !c->events)
		return 0;
	c->busy = true;
	take_bytes(c, bytes, n);
	leave_busy(c);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct client *client = h2_owner(user_data);
	struct grpc_served *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_SETTINGS && client)
		timer_stop(&client->hello);
	if (!c || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	c->busy = true;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		begin(c);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		half_close(c);
	leave_busy(c);
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	if (frame->hd.type == NGHTTP2_GOAWAY)
		h2_blame(user_data, frame->goaway.error_code);
	/* A client that has more to say is told that nobody listens: RFC 9113, 8.1. */
	if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	    !nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id))
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user_data)
{
	struct grpc_served *c = nghttp2_session_get_stream_user_data(session, stream);

	if (c)
		lose(c);
	return 0;
}

void served_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
