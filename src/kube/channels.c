// SPDX-License-Identifier: Apache-2.0
#include "kube/channels.h"

#include <jansson.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "net/transport.h"
#include "net/websocket.h"

#define MESSAGE_BYTES 16384 /* of stdin at once: what does not fit into the socket is kept */

#define LINE_BYTES 400 /* of stderr, for an error's text */

enum channel { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_CLOSE = 255 };

struct channels {
	struct transport t; /* first */
	bool is_v5;
	struct websocket_reader reader;
	uint8_t channel; /* of the message that is being read */
	uint8_t *to;	 /* where bytes of stdout go, while being in recv */
	size_t got;
	struct buf errors, status; /* what stderr and the end have said */
	bool closed;		   /* by the server */

	struct buf out; /* frames on their way */
	size_t sent;
	size_t accepted; /* bytes of the caller's in them, that it was not told of yet */
};

/* ---- writing --------------------------------------------------------------------- */

/*
 * 0: all of `out` is on its way; -EAGAIN, also where the server has closed: why it has comes by
 * reading.
 */
static int flush(struct channels *c, struct err *err)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->t.fd, c->out.data + c->sent, c->out.len - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EPIPE))
			return -EAGAIN;
		if (n < 0)
			return err_set(err, -errno, "writing: %s", strerror(errno));
		c->sent += (size_t)n;
	}
	buf_clear(&c->out);
	c->sent = 0;
	return 0;
}

/* As TLS does, a message counts as written when all of it is: the caller comes again with it. */
static ssize_t channels_send(struct transport *t, const void *bytes, size_t n, struct err *err)
{
	struct channels *c = (struct channels *)t;
	uint8_t channel = CHANNEL_STDIN;
	int r;

	if (!c->accepted) {
		c->accepted = n < MESSAGE_BYTES ? n : MESSAGE_BYTES;
		const struct iovec parts[] = {{&channel, 1},
					      {(void *)(uintptr_t)bytes, c->accepted}};

		websocket_put(&c->out, WEBSOCKET_BINARY, parts, array_size(parts));
	}
	r = flush(c, err);
	if (r)
		return r;
	n = c->accepted;
	c->accepted = 0;
	return (ssize_t)n;
}

/* A pong or the end, behind what is on its way; what there is no room for was asked for too often.
 */
static void put_control(struct channels *c, enum websocket_opcode opcode, const void *bytes,
			size_t n)
{
	const struct iovec part = {(void *)(uintptr_t)bytes, n};

	if (c->out.len - c->sent < 2 * MESSAGE_BYTES)
		websocket_put(&c->out, opcode, &part, 1);
	flush(c, NULL);
}

static void channels_end(struct transport *t)
{
	static const uint8_t close_stdin[] = {CHANNEL_CLOSE, CHANNEL_STDIN},
			     normal[] = {1000 >> 8, 1000 & 255};
	struct channels *c = (struct channels *)t;

	if (c->is_v5)
		put_control(c, WEBSOCKET_BINARY, close_stdin, sizeof(close_stdin));
	put_control(c, WEBSOCKET_CLOSE, normal, sizeof(normal));
	shutdown(c->t.fd, SHUT_WR);
}

/* ---- reading --------------------------------------------------------------------- */

/* The last that was said is what explains an end. */
static void keep_last(struct buf *b, const uint8_t *bytes, size_t n)
{
	if (n > b->max - b->len)
		buf_clear(b);
	if (n > b->max) {
		bytes += n - b->max;
		n = b->max;
	}
	buf_add(b, bytes, n);
}

static void on_data(void *ctx, const uint8_t *bytes, size_t n, bool begins)
{
	struct channels *c = ctx;

	if (begins) {
		c->channel = *bytes++;
		n--;
	}
	if (c->channel == CHANNEL_STDOUT) {
		memmove(c->to + c->got, bytes, n); /* the frames were read to the same place */
		c->got += n;
	} else if (c->channel == CHANNEL_STDERR) {
		keep_last(&c->errors, bytes, n);
	} else if (c->channel == CHANNEL_ERROR) {
		buf_add(&c->status, bytes, n);
	}
}

static void on_control(void *ctx, enum websocket_opcode opcode, const uint8_t *bytes, size_t n)
{
	struct channels *c = ctx;

	if (opcode == WEBSOCKET_PING) {
		put_control(c, WEBSOCKET_PONG, bytes, n);
	} else if (opcode == WEBSOCKET_CLOSE) {
		c->closed = true;
		shutdown(c->t.fd, SHUT_RD); /* so that recv is called to see it */
	}
}

/* The last line that is not empty, or its end. */
static void last_line(const struct buf *b, struct buf *out)
{
	size_t end = b->len, begin;

	while (end && strchr("\r\n ", b->data[end - 1]))
		end--;
	for (begin = end; begin && end - begin < LINE_BYTES && b->data[begin - 1] != '\n';)
		begin--;
	escape_text(out, b->data + begin, end - begin);
}

/* 0: nobody says that the program failed. */
static ssize_t end_of_program(struct channels *c, struct err *err)
{
	json_t *status = c->status.len ? json_loadb(c->status.data, c->status.len, 0, NULL) : NULL;
	const char *how = json_string_value(json_object_get(status, "status"));
	const char *message = json_string_value(json_object_get(status, "message"));
	_cleanup_(buf_done) struct buf words = {.max = 4096};
	ssize_t r = 0;

	last_line(&c->errors, &words);
	if (!words.len && message)
		escape_text(&words, message, strlen(message));
	if (words.len && (!how || strcmp(how, "Success") != 0))
		r = err_set(err, -ECONNREFUSED, "%s", buf_cstr(&words));
	json_decref(status);
	return r;
}

static ssize_t channels_recv(struct transport *t, void *bytes, size_t room, struct err *err)
{
	static const struct websocket_events events = {on_data, on_control};
	struct channels *c = (struct channels *)t;
	ssize_t n;

	if (c->closed)
		return end_of_program(c, err);
	n = recv(t->fd, bytes, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? -EAGAIN
			       : err_set(err, -errno, "reading: %s", strerror(errno));
	if (!n)
		return end_of_program(c, err);
	c->to = bytes;
	c->got = 0;
	if (websocket_feed(&c->reader, bytes, (size_t)n, &events, c, err))
		return -EPROTO;
	return c->got ? (ssize_t)c->got : -EAGAIN;
}

/* ---- life ------------------------------------------------------------------------ */

static void channels_free(struct transport *t)
{
	struct channels *c = (struct channels *)t;

	channels_end(t);
	closep(&t->fd);
	buf_done(&c->errors);
	buf_done(&c->status);
	buf_done(&c->out);
	free(c);
}

struct transport *channels_transport(int fd, bool is_v5)
{
	static const struct transport_ops ops = {channels_recv, channels_send, channels_end,
						 channels_free};
	struct channels *c = xnew(struct channels);

	c->t = (struct transport){.ops = &ops, .fd = fd, .recv_on = EPOLLIN, .send_on = EPOLLOUT};
	c->is_v5 = is_v5;
	buf_init(&c->errors, MAX_KUBE_STATUS_BYTES);
	buf_init(&c->status, MAX_KUBE_STATUS_BYTES);
	buf_init(&c->out, 4 * MESSAGE_BYTES);
	return &c->t;
}
