/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GETs over one HTTP/2 connection, driven by a reactor: of documents of bounded size, and of
 * answers that have no end. net/http1.h has the same for HTTP/1.1.
 *
 * Life of a client: http2_client_new(), requests, http2_client_free(). A connection that broke is
 * not made anew: its requests end with the error, and so do new ones.
 *
 * Life of a request: http2_get(), then either its `done` is called once or http2_cancel() was
 * called, or the client was freed; the request is gone with any of them. Nothing is called back
 * from within these functions. Callbacks may free the client.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct http2_client;
struct http2_get;
struct reactor;
struct tls;

/* fd, a connected stream socket, is taken over, also on failure. tls: borrowed; NULL: none. */
int http2_client_new(struct reactor *r, int fd, struct tls *tls, const char *authority,
		     struct http2_client **ret, struct err *err);
struct http2_client *http2_client_free(struct http2_client *c); /* NULL is fine; returns NULL */
bool http2_client_broken(const struct http2_client *c);		/* it takes no more requests */

/* All of it is copied, ctx aside. */
struct http2_request {
	const char *path;
	const char *accept;	   /* NULL: anything */
	const char *authorization; /* NULL: none */
	size_t max_body;	   /* bytes; of a stream those of an answer that is not 200 */
	uint64_t silence_ns;	   /* without a byte from the server: it ends with -ETIMEDOUT */

	/* Each part of a 200's body as it comes; it must not cancel the request. NULL: the body is
	 * given as a whole. */
	void (*on_part)(void *ctx, const char *bytes, size_t n);

	/*
	 * err is NULL where an answer came to its end; body is valid during the call (of a stream
	 * that was 200: empty). Else status is 0 and body NULL: -EMSGSIZE: longer than allowed;
	 * -ECONNRESET: cut off; -ETIMEDOUT; -EINVAL: not a path or a header; or of the connection.
	 */
	void (*done)(void *ctx, const struct err *err, unsigned int status, struct buf *body);
	void *ctx;
};

/* Never NULL: all errors come by `done`. */
struct http2_get *http2_get(struct http2_client *c, const struct http2_request *request);
struct http2_get *http2_cancel(struct http2_get *g); /* NULL is fine; returns NULL */
