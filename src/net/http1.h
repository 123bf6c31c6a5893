/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 (RFC 9112) as far as Docker's and podman's API on a unix socket needs it: one GET on a
 * connection of its own, answered by a status and a body of bounded size. Peers may be hostile,
 * silent or cut off: each is an error in bounded time and memory.
 *
 * Life of a request: http1_get(), then either its callback is called once or http1_cancel() was
 * called; the request is gone with either.
 *
 * The parser is apart from the socket: bytes in, state out. Life: http1_init(), http1_feed() for
 * what was read, http1_end() where the peer closed; http1_done().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct reactor;
struct transport;

/* ---- a request ------------------------------------------------------------------- */

struct http1_get;

/*
 * err is NULL where an answer came, whatever its status (200 … 599); body is valid during the call,
 * and its bytes may be taken over (then `*body` is zeroed). Else err says why there is none, and
 * status is 0, body NULL: -EMSGSIZE: longer than allowed; -EBADMSG: not HTTP/1.1; -ECONNRESET: cut
 * off; -ETIMEDOUT; -EINVAL: not a path; or an errno of the socket.
 */
typedef void http1_fn(void *ctx, const struct err *err, unsigned int status, struct buf *body);

/*
 * Asks for path ("/v1.41/containers/json?all=1": what is not printable ASCII must be
 * percent-encoded) on fd, a connected stream socket that is taken over. The answer's body may have
 * max_body bytes, and all of it must be there within deadline_ns from now. fn is never called from
 * within this call.
 */
struct http1_get *http1_get(struct reactor *r, int fd, const char *path, size_t max_body,
			    uint64_t deadline_ns, http1_fn *fn, void *ctx);
/* The same of a transport that is not TLS (net/transport.h), which is taken over. */
struct http1_get *http1_get_by(struct reactor *r, struct transport *t, const char *path,
			       size_t max_body, uint64_t deadline_ns, http1_fn *fn, void *ctx);
struct http1_get *http1_cancel(struct http1_get *g); /* NULL is fine; returns NULL */

/*
 * The same where the answer's body has no end: each part of it is given to on_part as it comes,
 * none longer than max_part bytes, where the status is 200. A chunk longer than max_part is
 * -EMSGSIZE. There is no deadline. fn is called when the answer ends all the same, with nothing in
 * *body but what came with another status. on_part must not cancel it.
 */
typedef void http1_part_fn(void *ctx, const char *bytes, size_t n);
struct http1_get *http1_stream(struct reactor *r, int fd, const char *path, size_t max_part,
			       http1_part_fn *on_part, http1_fn *fn, void *ctx);

/*
 * The same for another protocol on the same socket (RFC 9110, 7.8): headers are whole lines that
 * ask for it, in place of "Connection: close"; on_header is told the answer's, whatever it is.
 * Where the status is 101, fn may have the socket by http1_take_fd(): nothing was read of what
 * follows the answer's head.
 */
typedef void http1_header_fn(void *ctx, const char *name, const char *value);
struct http1_upgrade {
	const char *path, *headers;
	size_t max_body;
	uint64_t deadline_ns;
	http1_header_fn *on_header;
};
struct http1_get *http1_upgrade(struct reactor *r, int fd, const struct http1_upgrade *u,
				http1_fn *fn, void *ctx);
int http1_take_fd(struct http1_get *g);

/* ---- the parser of an answer ----------------------------------------------------- */

struct http1 {
	unsigned int status; /* 0: not known yet */
	struct buf body;

	enum {
		HTTP1_STATUS_LINE,
		HTTP1_HEADER,
		HTTP1_CHUNK_SIZE,
		HTTP1_CHUNK,
		HTTP1_CHUNK_END,
		HTTP1_TRAILER,
		HTTP1_LENGTH,	   /* a body of known length */
		HTTP1_UNTIL_CLOSE, /* a body that ends with the connection */
		HTTP1_COMPLETE,
	} state;
	struct buf line;     /* one that is not whole yet */
	size_t header_bytes; /* of all lines but chunk sizes */
	unsigned int n_headers;
	uint64_t left; /* of the body or chunk */
	bool chunked, has_length;
	bool upgrades;		    /* its owner says: 101 is an answer, which ends with its head */
	http1_header_fn *on_header; /* its owner's; may be NULL */
	void *ctx;
	size_t rest; /* bytes that were fed at last, and follow the answer */
};

void http1_init(struct http1 *p, size_t max_body);
void http1_done(struct http1 *p);

/*
 * Takes n more bytes of an answer. 0: more must come; 1: it is whole, what may follow (p->rest) was
 * not looked at; -EBADMSG, -EMSGSIZE: no answer that we take, p is of no more use.
 */
int http1_feed(struct http1 *p, const char *bytes, size_t n, struct err *err);

/* The peer closed: 0 where the answer is whole by that, else -ECONNRESET. */
int http1_end(struct http1 *p, struct err *err);
