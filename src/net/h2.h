/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 session (RFC 9113) by nghttp2 on a connected stream socket, driven by a reactor. It
 * moves bytes and tells when the connection is gone. What streams mean is its owner's business, who
 * brings nghttp2's callbacks and submits to h2_session() itself.
 *
 * Life: h2_client_new(); after each nghttp2_submit_…(), h2_wake(); h2_free(), also from within
 * nghttp2's callbacks. Bytes move only when the reactor is dispatched, so no callback is called
 * from within a submit.
 */
#pragma once

#include <nghttp2/nghttp2.h>

struct err;
struct h2;
struct reactor;

/* The connection is of no more use, and h2 only waits to be freed. err->code: -errno. */
typedef void h2_broken_fn(void *owner, const struct err *err);

/*
 * fd is taken over, also on failure. callbacks are copied; their user_data is the struct h2. Of the
 * settings, the windows are set already.
 */
int h2_client_new(struct reactor *r, int fd, nghttp2_session_callbacks *callbacks,
		  h2_broken_fn *broken, void *owner, struct h2 **ret, struct err *err);
struct h2 *h2_free(struct h2 *h); /* NULL is fine; returns NULL */

nghttp2_session *h2_session(struct h2 *h);
void *h2_owner(struct h2 *h); /* NULL after h2_free(), as callbacks may see it */
void h2_wake(struct h2 *h);   /* something was submitted */
