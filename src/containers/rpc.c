// SPDX-License-Identifier: Apache-2.0
#include "containers/rpc.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/grpc.h"

#define DEADLINE_NS 10000000000ull /* the asker has gone on long before */
/* A sandbox is started before its daemon knows that it has it. */
#define RETRY_NS 50000000ull
#define MAX_RETRIES 20
#define MAX_CALLS 6

/* daemon->session */
struct session {
	struct daemon *daemon;
	struct grpc_channel *channel; /* NULL: broken */
};

struct open_call {
	struct rpc *rpc;
	struct grpc_call *call; /* NULL: answered, or waiting for its retry */
	const char *method;
	char *namespace_;
	struct buf request;
	rpc_fill_fn *fill;
	bool last; /* there is no other way */
	struct timer retry;
	unsigned int retries;
};

struct rpc {
	struct daemon *daemon;
	struct question *question;
	struct open_call calls[MAX_CALLS];
	size_t n_calls, n_open;
	bool ended;   /* rpc_end() was called */
	bool unknown; /* a call gave no answer */
	void (*otherwise)(struct rpc *rpc, struct container *c);
	bool other_way; /* it was called */
	rpc_absent_fn *absent;
};

/* ---- connection ------------------------------------------------------------------ */

static void on_broken(void *ctx, const struct err *err)
{
	struct session *s = ctx;

	s->channel = grpc_channel_free(s->channel);
}

static int connect_channel(struct session *s, struct err *err)
{
	const struct grpc_channel_options o = {.on_broken = on_broken, .ctx = s};
	int fd = daemon_connect(s->daemon, err);

	return fd < 0 ? fd : grpc_channel_new(s->daemon->reactor, fd, &o, &s->channel, err);
}

static struct session *session_of(struct daemon *d)
{
	struct session *s = d->session;
	struct err err;

	if (!s) {
		d->session = s = xnew(struct session);
		s->daemon = d;
	}
	if (!s->channel && connect_channel(s, &err)) {
		daemon_failed(d, err.text);
		return NULL;
	}
	return s;
}

void rpc_close(struct daemon *d)
{
	struct session *s = d->session;

	if (!s)
		return;
	grpc_channel_free(s->channel);
	free(s);
	d->session = NULL;
}

/* ---- calls ----------------------------------------------------------------------- */

static void rpc_free(struct rpc *rpc)
{
	for (size_t i = 0; i < rpc->n_calls; i++) {
		grpc_call_cancel(rpc->calls[i].call);
		timer_stop(&rpc->calls[i].retry);
		buf_done(&rpc->calls[i].request);
		free(rpc->calls[i].namespace_);
	}
	free(rpc);
}

static void answer_if_over(struct rpc *rpc)
{
	struct question *q = rpc->question;
	bool known = !rpc->unknown;

	if (!rpc->ended || rpc->n_open)
		return;
	rpc_free(rpc);
	q->work = NULL;
	question_answer(q, known);
}

static void send(struct open_call *c);

static void on_retry(void *ctx)
{
	send(ctx);
}

/* All calls that were made find out that they should not have been; one of them does this. */
static void go_another_way(struct rpc *rpc)
{
	if (rpc->other_way)
		return;
	rpc->other_way = true;
	rpc->otherwise(rpc, rpc->question->container);
}

/* It was told, or need not be. */
static bool is_told(struct open_call *c, const struct grpc_reply *reply)
{
	struct rpc *rpc = c->rpc;
	struct container *container = rpc->question->container;
	bool not_found = reply->status == GRPC_NOT_FOUND;

	if (reply->status == GRPC_OK && c->fill(rpc, container, reply->bytes, reply->len))
		return true;
	return (reply->status == GRPC_OK || not_found) && rpc->absent &&
	       rpc->absent(rpc, container, c->fill, not_found);
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct open_call *c = ctx;
	struct rpc *rpc = c->rpc;

	c->call = NULL;
	if (is_told(c, reply)) {
		/* fine */
	} else if (reply->status == GRPC_UNIMPLEMENTED && !c->last) {
		go_another_way(rpc);
	} else if (reply->status == GRPC_NOT_FOUND && c->retries < MAX_RETRIES &&
		   !rpc->question->container->ended) {
		c->retries++;
		timer_start(&c->retry, rpc->daemon->reactor, RETRY_NS, on_retry, c);
		return;
	} else {
		rpc->unknown = true;
		if (reply->status != GRPC_NOT_FOUND && reply->status != GRPC_OK)
			daemon_failed(rpc->daemon,
				      *reply->text ? reply->text : grpc_status_name(reply->status));
	}
	rpc->n_open--; /* not before: further calls may have been made */
	answer_if_over(rpc);
}

static void send(struct open_call *c)
{
	struct session *s = session_of(c->rpc->daemon);
	const struct grpc_metadata metadata = {"containerd-namespace", c->namespace_};
	const struct grpc_request request = {
		.method = c->method,
		.metadata = &metadata,
		.n_metadata = c->namespace_ ? 1 : 0,
		.bytes = c->request.data,
		.len = c->request.len,
		.deadline_ns = DEADLINE_NS,
	};

	if (s) {
		c->call = grpc_call_unary(s->channel, &request, on_done, c);
		return;
	}
	c->rpc->n_open--;
	c->rpc->unknown = true;
	answer_if_over(c->rpc);
}

struct rpc *rpc_begin(struct daemon *d, struct question *q)
{
	struct rpc *rpc;

	if (!session_of(d)) {
		question_answer(q, false);
		return NULL;
	}
	rpc = q->work = xnew(struct rpc);
	rpc->daemon = d;
	rpc->question = q;
	return rpc;
}

void rpc_call(struct rpc *rpc, const struct rpc_call *call)
{
	struct open_call *c;
	size_t size = protobuf_c_message_get_packed_size(call->request);

	if (rpc->n_calls == MAX_CALLS) {
		rpc->unknown = true;
		return;
	}
	c = &rpc->calls[rpc->n_calls++];
	*c = (struct open_call){
		.rpc = rpc,
		.method = call->method,
		.namespace_ = xstrdup(call->namespace_),
		.request = {.max = MAX_GRPC_MESSAGE_BYTES},
		.fill = call->fill,
		.last = !rpc->otherwise || rpc->other_way,
	};
	if (buf_reserve(&c->request, size))
		c->request.len = protobuf_c_message_pack(call->request, (uint8_t *)c->request.data);
	rpc->n_open++;
	send(c);
}

bool rpc_has_call(const struct rpc *rpc, rpc_fill_fn *fill)
{
	for (size_t i = 0; i < rpc->n_calls; i++)
		if (rpc->calls[i].fill == fill)
			return true;
	return false;
}

void rpc_otherwise(struct rpc *rpc, void (*otherwise)(struct rpc *rpc, struct container *c))
{
	rpc->otherwise = otherwise;
}

void rpc_if_absent(struct rpc *rpc, rpc_absent_fn *absent)
{
	rpc->absent = absent;
}

struct daemon *rpc_daemon(const struct rpc *rpc)
{
	return rpc->daemon;
}

void rpc_end(struct rpc *rpc)
{
	rpc->ended = true;
	answer_if_over(rpc);
}

void rpc_forget(struct daemon *d, struct question *q)
{
	if (q->work)
		rpc_free(q->work);
	q->work = NULL;
}
