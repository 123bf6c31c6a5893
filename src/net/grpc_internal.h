/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What grpc_server.c (clients that come and go) and grpc_served.c (their calls) know of each other.
 * A call belongs to its client until its stream is closed; `gone` may free all of it.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "base/reactor.h"
#include "net/grpc_queue.h"
#include "net/grpc_server.h"
#include "net/grpc_wire.h"

TAILQ_HEAD(served_calls, grpc_served);

struct service {
	const struct grpc_method *methods;
	void *ctx;
};

/* What calls need of their server. */
struct calls_shared {
	struct reactor *reactor;
	struct service *services;
	size_t n_services, services_room;
	size_t max_message;
	size_t held; /* bytes allocated for the clients' messages */
};

struct client {
	TAILQ_ENTRY(client) link;
	struct grpc_server *server; /* NULL: it has left */
	struct calls_shared *shared;
	struct h2 *h2;
	struct served_calls calls;
	struct timer hello; /* what does not speak HTTP/2 in time is closed */
	bool busy;	    /* losing its calls: who frees it leaves the memory to that */
	bool awaited;	    /* it had calls when the server began to shut down */
};

struct grpc_served {
	TAILQ_ENTRY(grpc_served) link;
	struct client *client; /* NULL: it has left */
	int32_t stream;

	/* what the client asks */
	const struct grpc_method *method; /* NULL: none of ours */
	void *method_ctx;
	size_t header_bytes;
	bool is_post, is_grpc, is_bad_timeout;
	uint64_t timeout_ns; /* 0: none */
	struct timer deadline;

	/* what it sends */
	struct grpc_frames frames;
	size_t held, n_messages;
	bool half_closed;

	/* what it gets */
	struct grpc_queue queue;
	bool answered; /* HEADERS were submitted */
	bool was_full; /* `drained` is owed */
	bool finished; /* all that is owed to the client was queued */
	enum grpc_status status;
	struct buf text;

	const struct grpc_served_events *events; /* NULL: nobody is told (any more) */
	void *ctx;
	bool busy; /* in a callback: who loses the call leaves its memory to that */
};

/* Sets what nghttp2 calls for the streams of a client, which owns the h2. */
void served_set_callbacks(nghttp2_session_callbacks *callbacks);

/* Those that are open are told that the server shuts down. */
void served_stop_all(struct client *c);

/* The connection is lost, or given up: all calls are gone. The client may have been freed by it. */
void served_lose_all(struct client *c);
