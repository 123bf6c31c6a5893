/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSockets (RFC 6455) as a client has them: the handshake on a connected socket, and frames,
 * apart from any socket. Servers may be hostile or silent.
 *
 * Life of a handshake: websocket_dial(), then either its callback is called once or
 * websocket_cancel() was called; it is gone with either.
 *
 * Life of a reader: zeroed, then websocket_feed() for what was read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct buf;
struct err;
struct reactor;

/* ---- the handshake --------------------------------------------------------------- */

struct websocket_dial;

struct websocket_request {
	const char *path;      /* as that of http1_get() */
	const char *protocols; /* subprotocols, the one that we like best first: "b, a" */
	size_t max_body;       /* of an answer that refuses */
	uint64_t deadline_ns;
};

/* What the server said; valid during the call. */
struct websocket_answer {
	int fd;		      /* the socket, taken over; -1: refused */
	const char *protocol; /* that it chose; "": none */
	unsigned int status;  /* of HTTP */
	const struct buf *body;
};

/*
 * err is NULL where an answer came, which may be that there will be no WebSocket. Else it is that
 * of http1_fn; -EBADMSG: the server took what was not asked for, or does not know the protocol.
 */
typedef void websocket_dial_fn(void *ctx, const struct err *err, const struct websocket_answer *a);

/* fd, a connected stream socket, is taken over. fn is never called from within. */
struct websocket_dial *websocket_dial(struct reactor *r, int fd, const struct websocket_request *q,
				      websocket_dial_fn *fn, void *ctx);
struct websocket_dial *websocket_cancel(struct websocket_dial *d); /* NULL is fine; returns NULL */

/* ---- frames ---------------------------------------------------------------------- */

enum websocket_opcode {
	WEBSOCKET_CONTINUATION = 0,
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10,
};

#define WEBSOCKET_CONTROL_BYTES 125 /* at most, of the payload of CLOSE, PING and PONG */

struct websocket_reader {
	uint8_t head[10];
	unsigned int n_head;
	uint8_t opcode;
	bool in_frame, is_last;
	bool in_message, is_begun; /* bytes of the message were given */
	uint64_t left;		   /* of the frame's payload */
	uint8_t control[WEBSOCKET_CONTROL_BYTES];
	unsigned int n_control;
};

struct websocket_events {
	/* Bytes of a message, in as many pieces as they come; n is not 0. */
	void (*data)(void *ctx, const uint8_t *bytes, size_t n, bool begins);
	void (*control)(void *ctx, enum websocket_opcode opcode, const uint8_t *bytes, size_t n);
};

/* -EPROTO: it is none, and the reader is of no more use. */
int websocket_feed(struct websocket_reader *w, const void *bytes, size_t n,
		   const struct websocket_events *events, void *ctx, struct err *err);

/* Appends a whole message, masked as a client's must be. */
void websocket_put(struct buf *out, enum websocket_opcode opcode, const struct iovec *parts,
		   size_t n);
