/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving gRPC to many clients, driven by a reactor. Format:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 * Life of a server: grpc_server_new() with its methods, grpc_server_listen() for each address,
 * grpc_server_shutdown() if clients are to get what is queued for them, grpc_server_free().
 *
 * Life of a call (struct grpc_served): its method's `begin` is called when the client's headers
 * came, and says by grpc_served_start() who is told of the rest. Each message of the client is
 * given to `message`, the end of them to `half_closed`. The call ends by grpc_served_finish(), or
 * with `gone`, once, where the client cancelled, ran into its deadline or lost the connection; the
 * call is not to be used after either. A call that nobody has started when `begin` returns ends
 * with GRPC_INTERNAL. Callbacks may send, finish and free the server.
 *
 * Unary methods are a table of functions from bytes to bytes, see struct grpc_method.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/status.h"

struct grpc_served;
struct grpc_server;
struct reactor;
struct tls;

struct grpc_method {
	const char *path; /* "/grpc.health.v1.Health/Check" */
	/*
	 * Unary: the client's one message to the answer's bytes, appended to `reply`. Not 0:
	 * -errno, which becomes the call's status by status_grpc(), and err's text its message.
	 * NULL: `begin`.
	 */
	int (*unary)(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err);
	void (*begin)(void *ctx, struct grpc_served *call); /* any number of messages either way */
};

/* A service is a NULL-path-terminated table of methods with the context that they share. */
struct grpc_server_options {
	size_t max_message;	/* bytes of a client's message; 0: MAX_SERVED_MESSAGE_BYTES */
	size_t max_connections; /* 0: MAX_SERVED_CONNECTIONS; one more is closed at once */
	void (*warn)(void *ctx,
		     const char *text); /* a peer's fault, or no descriptors; may be NULL */
	void *ctx;
};

int grpc_server_new(struct reactor *r, const struct grpc_server_options *o,
		    struct grpc_server **ret, struct err *err);

/* All that is open ends at once, calls with `gone` from within. NULL is fine; returns NULL. */
struct grpc_server *grpc_server_free(struct grpc_server *s);

/* methods, constant, is borrowed as long as the server lives. Unknown ones are UNIMPLEMENTED. */
void grpc_server_add(struct grpc_server *s, const struct grpc_method *methods, void *ctx);

/*
 * Takes over fd, a listening socket (net/address.h). tls, borrowed, is spoken to each client; NULL:
 * none.
 */
int grpc_server_listen(struct grpc_server *s, int fd, struct tls *tls, struct err *err);

/*
 * No more connections and calls are taken; calls that are open are told, and stay until they are
 * finished.
 * `done` is called once, when all that was finished has been written and each client that had a
 * call has closed, or when `ns` have passed.
 */
void grpc_server_shutdown(struct grpc_server *s, uint64_t ns, void (*done)(void *ctx), void *ctx);

size_t grpc_server_connections(const struct grpc_server *s);

/* ---- a call ---------------------------------------------------------------------- */

#define GRPC_DRAINED_BYTES 65536

struct grpc_served_events {
	/* A message of the client, valid during the call. */
	void (*message)(void *ctx, struct grpc_served *call, const void *bytes, size_t len);
	void (*half_closed)(void *ctx,
			    struct grpc_served *call); /* no more will come; may be NULL */
	/* What was queued has shrunk to GRPC_DRAINED_BYTES after it was more; may be NULL. */
	void (*drained)(void *ctx, struct grpc_served *call);
	/* The server shuts down: who has nothing more to say finishes. May be NULL. */
	void (*stopping)(void *ctx, struct grpc_served *call);
	void (*gone)(void *ctx, struct grpc_served *call); /* the call ended by itself */
};

void grpc_served_start(struct grpc_served *call, const struct grpc_served_events *events,
		       void *ctx); /* events: constant, borrowed */

/*
 * A message to the client; copied and queued without bound: who can produce without end asks
 * grpc_served_queued() first.
 */
void grpc_served_send(struct grpc_served *call, const void *bytes, size_t len);
size_t
grpc_served_queued(const struct grpc_served *call); /* bytes that the client's windows hold back */

/* The call ends when what is queued was sent. text may be NULL. */
void grpc_served_finish(struct grpc_served *call, enum grpc_status status, const char *text);
