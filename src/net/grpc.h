/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC calls to a server, many at once over one connection, driven by a reactor. Format:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 * Life of a channel: grpc_channel_new(), calls, grpc_channel_free(). A connection that broke is not
 * made anew: its owner is told, and opens another channel.
 *
 * Life of a call: grpc_call_unary(), grpc_call_stream() or grpc_call_open(), then either `done` is
 * called once or grpc_call_cancel() was called; the call is gone with either. Nothing is called
 * back from within the functions that start or cancel a call. Callbacks may start and cancel calls
 * and free the channel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct err;
struct grpc_call;
struct grpc_channel;
struct reactor;
struct tls;

/* ---- channel --------------------------------------------------------------------- */

struct grpc_channel_options {
	struct tls *tls;	     /* borrowed (net/tls.h); NULL: none */
	struct transport *transport; /* taken over in fd's place (net/transport.h); NULL: none */
	const char *authority;	     /* NULL: localhost, as is usual on unix sockets */
	size_t max_message; /* bytes of a message of the server; 0: MAX_GRPC_MESSAGE_BYTES */

	/*
	 * The channel takes no more calls; called once, NULL is fine. Calls that are open end with
	 * GRPC_UNAVAILABLE where the connection is lost (err->code -ECONNRESET …); where the server
	 * only lets go of it (-ESHUTDOWN), they may still be answered.
	 */
	void (*on_broken)(void *ctx, const struct err *err);
	void *ctx;
};

/* fd, a connected stream socket, is taken over, also on failure. options may be NULL. */
int grpc_channel_new(struct reactor *r, int fd, const struct grpc_channel_options *options,
		     struct grpc_channel **ret, struct err *err);

/* Calls that are open end with GRPC_CANCELLED, from within. NULL is fine; returns NULL. */
struct grpc_channel *grpc_channel_free(struct grpc_channel *ch);

/* ---- calls ----------------------------------------------------------------------- */

struct grpc_metadata {
	const char *name; /* lower case */
	const char *value;
};

/* All of it is copied. */
struct grpc_request {
	const char *method; /* "/runtime.v1.RuntimeService/Version" */
	const struct grpc_metadata *metadata;
	size_t n_metadata;
	const void *bytes; /* the message (the first; grpc_call_open() takes NULL for none) */
	size_t len;
	uint64_t deadline_ns; /* from now, told to the server as well; 0: none */
};

/* Valid during the call of `done`. */
struct grpc_reply {
	enum grpc_status status;
	const char *text;  /* what a person may read of an error, else ""; not escaped */
	const void *bytes; /* the message of a unary call that is GRPC_OK */
	size_t len;
};

typedef void grpc_done_fn(void *ctx, const struct grpc_reply *reply);
typedef void grpc_message_fn(void *ctx, const void *bytes, size_t len);

/* Returns the call, for grpc_call_cancel(); never NULL. All errors come by `done`. */
struct grpc_call *grpc_call_unary(struct grpc_channel *ch, const struct grpc_request *request,
				  grpc_done_fn *done, void *ctx);

/* The server answers by any number of messages, then `done` is called. */
struct grpc_call *grpc_call_stream(struct grpc_channel *ch, const struct grpc_request *request,
				   grpc_message_fn *on_message, grpc_done_fn *done, void *ctx);

/*
 * Messages both ways, from now until grpc_call_half_close(). What is sent is copied and queued
 * without bound; nothing is called back from within, and a call that has failed already takes it in
 * silence.
 */
struct grpc_call *grpc_call_open(struct grpc_channel *ch, const struct grpc_request *request,
				 grpc_message_fn *on_message, grpc_done_fn *done, void *ctx);
void grpc_call_send(struct grpc_call *c, const void *bytes, size_t len);
size_t grpc_call_queued(const struct grpc_call *c); /* bytes that are not on their way yet */
void grpc_call_half_close(struct grpc_call *c);	    /* no more messages will be sent */

struct grpc_call *grpc_call_cancel(struct grpc_call *c); /* NULL is fine; returns NULL */
