// SPDX-License-Identifier: Apache-2.0
#include "net/h2.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"

/* A list of megabytes comes without waiting for us to say "go on" in between. */
#define WINDOW_BYTES (8 << 20)
#define WRITES_AT_ONCE 64 /* then others of the reactor have their turn */

struct h2 {
	nghttp2_session *session;
	int fd;
	struct watch watch;
	uint32_t watched; /* EPOLLIN, EPOLLOUT */
	const uint8_t *out;
	size_t n_out;	/* bytes at `out` that nghttp2 has made and were not written */
	struct err why; /* what nghttp2 said last about the peer's frames */
	h2_broken_fn *broken;
	void *owner;
	bool busy; /* in nghttp2 or a callback: who frees h2 now frees it later */
};

static void destroy(struct h2 *h)
{
	nghttp2_session_del(h->session);
	free(h);
}

struct h2 *h2_free(struct h2 *h)
{
	if (!h)
		return NULL;
	watch_remove(&h->watch);
	closep(&h->fd);
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

static void watch_for(struct h2 *h, uint32_t events)
{
	if (h->watched != events && h->watch.reactor && !watch_change(&h->watch, events))
		h->watched = events;
}

void h2_wake(struct h2 *h)
{
	if (!h->busy) /* else it is looked at afterwards */
		watch_for(h, EPOLLIN | EPOLLOUT);
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
	uint8_t bytes[65536];
	ssize_t n = recv(h->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_set(err, -errno, "reading: %s", strerror(errno));
	if (!n)
		return err_set(err, -ECONNRESET, "the peer closed the connection");
	h->why.code = 0;
	n = nghttp2_session_mem_recv(h->session, bytes, (size_t)n);
	return n < 0 ? nghttp2_failed(h, n, err) : 0;
}

static int send_frames(struct h2 *h, struct err *err)
{
	for (int i = 0; i < WRITES_AT_ONCE; i++) {
		ssize_t n;

		if (!h->n_out) {
			n = nghttp2_session_mem_send(h->session, &h->out);
			if (n < 0)
				return nghttp2_failed(h, n, err);
			if (!n || !h->owner)
				return 0;
			h->n_out = (size_t)n;
		}
		n = send(h->fd, h->out, h->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0)
			return err_set(err, -errno, "writing: %s", strerror(errno));
		h->out += n;
		h->n_out -= (size_t)n;
	}
	return 0;
}

static void on_ready(void *ctx, uint32_t events)
{
	struct h2 *h = ctx;
	struct err err = {0};
	int r = 0;

	h->busy = true;
	/* Reading first: what a peer said before it closed counts. */
	if (events & ~(uint32_t)EPOLLOUT)
		r = receive(h, &err);
	if (!r && h->owner)
		r = send_frames(h, &err);
	if (!r && h->owner && !h->n_out && !nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session))
		r = h->why.code ? nghttp2_failed(h, 0, &err)
				: err_set(&err, -ECONNRESET, "the peer ended the session");
	if (r && h->owner) {
		watch_remove(&h->watch);
		h->broken(h->owner, &err);
	}
	h->busy = false;
	if (!h->owner)
		destroy(h);
	else
		watch_for(h, h->n_out || nghttp2_session_want_write(h->session) ? EPOLLIN | EPOLLOUT
										: EPOLLIN);
}

/* ---- life ------------------------------------------------------------------------ */

static int start(struct h2 *h)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
	};
	int r = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
					array_size(settings));

	/* The connection's own window, which the setting does not touch. */
	return r ? r
		 : nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
							 2 * WINDOW_BYTES);
}

int h2_client_new(struct reactor *r, int fd, nghttp2_session_callbacks *callbacks,
		  h2_broken_fn *broken, void *owner, struct h2 **ret, struct err *err)
{
	struct h2 *h = xnew(struct h2);
	int code;

	h->fd = fd;
	h->broken = broken;
	h->owner = owner;
	nghttp2_session_callbacks_set_error_callback2(callbacks, on_nghttp2_error);
	code = nghttp2_session_client_new(&h->session, callbacks, h);
	if (!code)
		code = start(h);
	if (code) {
		code = err_set(err, -ENOMEM, "HTTP/2: %s", nghttp2_strerror(code));
	} else {
		h->watched = EPOLLIN | EPOLLOUT;
		code = watch_add(&h->watch, r, fd, h->watched, on_ready, h);
		if (code)
			err_set(err, code, "waiting for a socket: %s", strerror(-code));
	}
	if (code) {
		h2_free(h);
		return code;
	}
	*ret = h;
	return 0;
}
