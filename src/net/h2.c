// SPDX-License-Identifier: Apache-2.0
#include "net/h2.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/tls.h"
#include "net/transport.h"

/* A list of megabytes comes without waiting for us to say "go on" in between. */
#define WINDOW_BYTES (8 << 20)
#define WRITES_AT_ONCE 16 /* then others of the reactor have their turn */
#define WRITE_BYTES 32768 /* small frames are gathered to as many, and one more frame */

struct h2 {
	nghttp2_session *session;
	struct transport *transport;
	struct watch watch;
	uint32_t watched; /* EPOLLIN, EPOLLOUT */
	struct buf out;	  /* what nghttp2 has made */
	size_t sent;	  /* of it */
	struct err why;	  /* what nghttp2 said last about the peer's frames */
	uint32_t blamed;  /* what we told the peer of them at last; 0: nothing */
	h2_broken_fn *broken;
	void *owner;
	bool is_server, ended;
	bool busy; /* in nghttp2 or a callback: who frees h2 now frees it later */
};

static void destroy(struct h2 *h)
{
	nghttp2_session_del(h->session);
	buf_done(&h->out);
	free(h);
}

struct h2 *h2_free(struct h2 *h)
{
	if (!h)
		return NULL;
	watch_remove(&h->watch);
	if (h->transport)
		h->transport->ops->free(take(h->transport));
	h->owner = NULL;
	if (!h->busy)
		destroy(h);
	return NULL;
}

nghttp2_session *h2_session(struct h2 *h)
{
	return h->session;
}

void *h2_owner(struct h2 *h)
{
	return h->owner;
}

/* Reading always; writing where there is something. */
static void watch_for(struct h2 *h, bool writing)
{
	uint32_t events = h->transport->recv_on | (writing ? h->transport->send_on : 0);

	if (h->watched != events && h->watch.reactor && !watch_change(&h->watch, events))
		h->watched = events;
}

void h2_wake(struct h2 *h)
{
	if (!h->busy) /* else it is looked at afterwards */
		watch_for(h, true);
}

void h2_blame(struct h2 *h, uint32_t error)
{
	h->blamed = error;
}

nghttp2_nv h2_header(const char *name, const char *value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value),
	};
}

/* ---- bytes ----------------------------------------------------------------------- */

static int on_nghttp2_error(nghttp2_session *session, int code, const char *text, size_t len,
			    void *user_data)
{
	struct h2 *h = user_data;

	err_set(&h->why, -EPROTO, "%.*s", (int)len, text);
	return 0;
}

/* nghttp2's code as an error, with what it said before where it said something. */
static int nghttp2_failed(const struct h2 *h, ssize_t code, struct err *err)
{
	return err_set(err, -EPROTO, "HTTP/2: %s",
		       h->why.code ? h->why.text : nghttp2_strerror((int)code));
}

static int receive(struct h2 *h, struct err *err)
{
	uint8_t bytes[4 * TRANSPORT_ROOM];
	ssize_t n = h->transport->ops->recv(h->transport, bytes, sizeof(bytes), err);

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	if (!n)
		return err_set(err, h->ended ? -ESHUTDOWN : -ECONNRESET,
			       "the peer closed the connection");
	if (h->ended)
		return 0;
	h->why.code = 0;
	n = nghttp2_session_mem_recv(h->session, bytes, (size_t)n);
	if (n < 0)
		return nghttp2_failed(h, n, err);
	/* A client bounds what it asks; what a client makes a server answer is bounded here. */
	if (h->is_server && nghttp2_session_get_outbound_queue_size(h->session) > MAX_GRPC_WAITING)
		return err_set(err, -EPROTO, "HTTP/2: more than %d frames wait for the peer",
			       MAX_GRPC_WAITING);
	return 0;
}

/* Fills `out`; where that stays empty there is nothing to write. */
static int gather(struct h2 *h, struct err *err)
{
	buf_clear(&h->out);
	h->sent = 0;
	while (h->out.len < WRITE_BYTES) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(h->session, &bytes);

		if (n < 0)
			return nghttp2_failed(h, n, err);
		if (!n || !h->owner)
			break;
		buf_add(&h->out, bytes, (size_t)n);
	}
	return 0;
}

static int send_frames(struct h2 *h, struct err *err)
{
	for (int i = 0; i < WRITES_AT_ONCE; i++) {
		ssize_t n;
		int r = h->sent < h->out.len ? 0 : gather(h, err);

		if (r || !h->owner || !h->out.len)
			break;
		n = h->transport->ops->send(h->transport, h->out.data + h->sent,
					    h->out.len - h->sent, err);
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		h->sent += (size_t)n;
	}
	return 0;
}

/* Where writing fails, the peer may have said why before it closed. */
static int send_or_learn(struct h2 *h, struct err *err)
{
	int r = send_frames(h, err);
	struct err said;

	if (!r || !h->owner)
		return r;
	if (receive(h, &said) && (said.code == -EPROTO || said.code == -EKEYREJECTED))
		*err = said;
	return err->code;
}

/*
 * Nothing more will be said by either. A server lets the client close: bytes that come for a closed
 * socket would make TCP throw away what is still on its way to the client.
 */
static int end_session(struct h2 *h, struct err *err)
{
	if (h->why.code)
		return nghttp2_failed(h, 0, err);
	if (h->blamed)
		return err_set(err, -EPROTO, "HTTP/2: %s", nghttp2_http2_strerror(h->blamed));
	if (!h->is_server)
		return err_set(err, -ESHUTDOWN, "the session has ended");
	if (!h->ended)
		h->transport->ops->end(h->transport);
	h->ended = true;
	return 0;
}

/* Whether bytes wait, here or in nghttp2. */
static bool is_writing(const struct h2 *h)
{
	return h->sent < h->out.len || nghttp2_session_want_write(h->session);
}

static void on_ready(void *ctx, uint32_t events)
{
	struct h2 *h = ctx;
	struct err err = {0};
	int r = 0;

	h->busy = true;
	/* Reading first: what a peer said before it closed counts. */
	if (events & (h->transport->recv_on | ~(uint32_t)(EPOLLIN | EPOLLOUT)))
		r = receive(h, &err);
	if (!r && h->owner)
		r = send_or_learn(h, &err);
	if (!r && h->owner && !is_writing(h) &&
	    (h->blamed || !nghttp2_session_want_read(h->session)))
		r = end_session(h, &err);
	if (r && h->owner) {
		watch_remove(&h->watch);
		h->transport->ops->end(h->transport);
		h->broken(h->owner, &err);
	}
	h->busy = false;
	if (!h->owner) {
		destroy(h);
		return;
	}
	if (!is_writing(h))
		buf_done(&h->out); /* who is idle holds no memory */
	watch_for(h, is_writing(h));
}

/* ---- life ------------------------------------------------------------------------ */

static int new_session(struct h2 *h, nghttp2_session_callbacks *callbacks)
{
	nghttp2_option *option;
	int r = nghttp2_option_new(&option);

	if (r)
		return r;
	nghttp2_session_callbacks_set_error_callback2(callbacks, on_nghttp2_error);
	nghttp2_option_set_no_closed_streams(option, 1);
	r = h->is_server ? nghttp2_session_server_new2(&h->session, callbacks, h, option)
			 : nghttp2_session_client_new2(&h->session, callbacks, h, option);
	nghttp2_option_del(option);
	return r;
}

static int submit_settings(struct h2 *h)
{
	static const nghttp2_settings_entry client[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
	};
	static const nghttp2_settings_entry server[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_SERVED_CALLS},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HTTP_HEADER_BYTES},
	};
	int r = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE,
					h->is_server ? server : client,
					h->is_server ? array_size(server) : array_size(client));

	/* The connection's own window, which the setting does not touch. */
	return r ? r
		 : nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
							 2 * WINDOW_BYTES);
}

static int start(struct h2 *h, struct reactor *r, int fd, const struct h2_options *o,
		 struct err *err)
{
	int code;

	if (o->transport)
		h->transport = o->transport;
	else if (!o->tls)
		h->transport = transport_plain(fd);
	else if ((code = tls_transport(o->tls, fd, &h->transport, err)))
		return code;
	code = new_session(h, o->callbacks);
	if (!code)
		code = submit_settings(h);
	if (code)
		return err_set(err, -ENOMEM, "HTTP/2: %s", nghttp2_strerror(code));
	h->watched = EPOLLIN | EPOLLOUT;
	code = watch_add(&h->watch, r, h->transport->fd, h->watched, on_ready, h);
	return code ? err_set(err, code, "waiting for a socket: %s", strerror(-code)) : 0;
}

static int h2_new(bool is_server, struct reactor *r, int fd, const struct h2_options *o,
		  struct h2 **ret, struct err *err)
{
	struct h2 *h = xnew(struct h2);
	int code;

	h->is_server = is_server;
	h->broken = o->broken;
	h->owner = o->owner;
	buf_init(&h->out, 4 * WRITE_BYTES);
	code = start(h, r, fd, o, err);
	if (code) {
		h2_free(h);
		return code;
	}
	*ret = h;
	return 0;
}

int h2_client_new(struct reactor *r, int fd, const struct h2_options *o, struct h2 **ret,
		  struct err *err)
{
	return h2_new(false, r, fd, o, ret, err);
}

int h2_server_new(struct reactor *r, int fd, const struct h2_options *o, struct h2 **ret,
		  struct err *err)
{
	return h2_new(true, r, fd, o, ret, err);
}
