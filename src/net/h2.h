/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 session (RFC 9113) by nghttp2 on a connected stream socket, driven by a reactor. It
 * moves bytes and tells when the connection is gone. What streams mean is its owner's business, who
 * brings nghttp2's callbacks and submits to h2_session() itself.
 *
 * Life: h2_client_new() or h2_server_new(); after each nghttp2_submit_…(), h2_wake(); h2_free(),
 * also from within nghttp2's callbacks. Bytes move only when the reactor is dispatched, so no
 * callback is called from within a submit.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

struct err;
struct h2;
struct reactor;
struct tls;
struct transport;

/*
 * The connection is of no more use, and h2 only waits to be freed. err->code: -errno; -EPROTO is
 * the peer's fault, -ESHUTDOWN the end that one of both has asked for.
 */
typedef void h2_broken_fn(void *owner, const struct err *err);

struct h2_options {
	struct tls *tls;	     /* borrowed; NULL: none */
	struct transport *transport; /* in place of fd and tls; taken over as fd is; NULL: none */
	nghttp2_session_callbacks *callbacks; /* copied; their user_data is the struct h2 */
	h2_broken_fn *broken;
	void *owner;
};

/* fd is taken over, also on failure. Windows and limits are set already. */
int h2_client_new(struct reactor *r, int fd, const struct h2_options *o, struct h2 **ret,
		  struct err *err);
int h2_server_new(struct reactor *r, int fd, const struct h2_options *o, struct h2 **ret,
		  struct err *err);
struct h2 *h2_free(struct h2 *h); /* NULL is fine; returns NULL */

nghttp2_session *h2_session(struct h2 *h);
void *h2_owner(struct h2 *h); /* NULL after h2_free(), as callbacks may see it */
void h2_wake(struct h2 *h);   /* something was submitted */

/* For an owner that sees a GOAWAY of ours with an error (RFC 9113, 7) sent: why the session ends.
 */
void h2_blame(struct h2 *h, uint32_t error);

nghttp2_nv h2_header(const char *name, const char *value); /* borrowed */
