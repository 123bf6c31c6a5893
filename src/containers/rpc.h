/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to daemons that speak gRPC: of one question several calls may be made at the same time;
 * it is answered when all have been. One connection per daemon is kept, and made anew when it
 * breaks.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/status.h"
#include "containers/daemon.h"

struct rpc;

/*
 * Fills c from an answer (well-formed or not), and may make further calls (rpc is NULL in tests).
 * False: it tells nothing.
 */
typedef bool rpc_fill_fn(struct rpc *rpc, struct container *c, const void *bytes, size_t len);

struct rpc_call {
	const char *method;	/* "/runtime.v1.RuntimeService/ContainerStatus" */
	const char *namespace_; /* containerd's; NULL: the API has none */
	const ProtobufCMessage *request;
	rpc_fill_fn *fill;
};

/*
 * Begins q's work. Then rpc_call() for each call, and rpc_end(), which says that these are all.
 * NULL: the daemon cannot be reached, and q was answered.
 */
struct rpc *rpc_begin(struct daemon *d, struct question *q);
void rpc_call(struct rpc *rpc, const struct rpc_call *call);
bool rpc_has_call(const struct rpc *rpc, rpc_fill_fn *fill); /* was a call made for this? */
void rpc_end(struct rpc *rpc);
struct daemon *rpc_daemon(const struct rpc *rpc);

/* Called where the daemon does not have the service of the calls that follow: makes others. */
void rpc_otherwise(struct rpc *rpc, void (*otherwise)(struct rpc *rpc, struct container *c));

/*
 * Called for each call of q that the daemon has nothing to say to: it knows no such thing
 * (not_found), or the answer told nothing. `fill` says which. May make further calls. True: that
 * does not matter, or another call may tell it; else the call is made again for a while, or the
 * answer is that it is not known.
 */
typedef bool rpc_absent_fn(struct rpc *rpc, struct container *c, rpc_fill_fn *fill, bool not_found);
void rpc_if_absent(struct rpc *rpc, rpc_absent_fn *absent);

/* For a struct daemon_kind. */
void rpc_forget(struct daemon *d, struct question *q);
void rpc_close(struct daemon *d);
