/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon, from the other side: one connection to it, over which calls are made and gadgets run
 * (remote_run.h). Everything comes by a reactor; only the functions that say so wait.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/tls.h"

struct address;
struct err;
struct grpc_channel;
struct reactor;
struct remote;

#define REMOTE_DEFAULT "unix:///var/run/ig/ig.socket"

struct remote_options {
	const char *address;  /* "unix:///…", "tcp://…" */
	struct tls_files tls; /* for TCP; without a CA it is spoken to without TLS */
	uint64_t timeout_ns;  /* of connecting, and of each call; 0: 10 s */
};

/* Connects, and waits for that. -errno of address_connect(), tls_client_new(). */
int remote_open(const struct remote_options *o, struct remote **ret, struct err *err);
/*
 * A daemon at the other end of t, taken over, driven by r, which is borrowed: several of them may
 * have one reactor. timeout_ns: of each call; 0: 10 s.
 */
struct transport;
int remote_adopt(struct reactor *r, struct transport *t, uint64_t timeout_ns, struct remote **ret,
		 struct err *err);
struct remote *remote_close(struct remote *r); /* NULL is fine; returns NULL */

/* A socket that is connected to a daemon, or -errno; name: the address as it was given. */
int remote_dial(const struct address *a, const char *name, uint64_t timeout_ns, struct err *err);

struct reactor *remote_reactor(struct remote *r);
struct grpc_channel *remote_channel(struct remote *r);

/* Waits for the answer of a unary call, appended to reply. -errno by status_errno(). */
int remote_call(struct remote *r, const char *method, const ProtobufCMessage *request,
		struct buf *reply, struct err *err);

/*
 * The same, unpacked: a message of that type, which protobuf_c_message_free_unpacked() frees. NULL:
 * an error.
 */
void *remote_ask(struct remote *r, const char *method, const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *answer, struct err *err);

/* What a call's end means: 0 and nothing set, or -errno by status_errno() and what it says. */
struct grpc_reply;
int remote_failure(const struct grpc_reply *reply, struct err *err);

/* Why the connection is of no more use, which is more than its calls say; 0: it is. */
int remote_broken(const struct remote *r, struct err *err);

/* Lets things happen until `until` says so, or an error stands in the way of that: its value. */
int remote_wait(struct remote *r, int (*until)(void *ctx), void *ctx);

/* A message's bytes, appended. */
void remote_pack(const ProtobufCMessage *m, struct buf *out);
