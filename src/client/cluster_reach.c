// SPDX-License-Identifier: Apache-2.0
/* Reaching one node. */
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "client/cluster_internal.h"
#include "client/remote.h"
#include "containers/container.h"
#include "kube/exec.h"
#include "net/grpc.h"
#include "net/transport.h"
#include "wire/api.pb-c.h"

#define FIRST_WAIT_NS 500000000ull
#define QUEUE_NS 20000000ull
#define HELLO_NS (10 * 1000000000ull)
#define LONGEST_WAIT_NS (30 * 1000000000ull)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool reach_is_under_way(const struct reach *r)
{
	return r->exec || r->hello || r->queues;
}

static void on_again(void *ctx)
{
	reach_begin(ctx);
}

/* More connections are being made to kubectl than its socket lets wait. */
static void queue(struct reach *r)
{
	r->queues = true;
	timer_start(&r->again, r->cluster->reactor, QUEUE_NS, on_again, r);
}

/* Where the agent is not ready, it is tried when that is told. */
static void try_later(struct reach *r)
{
	if (!r->cluster->agents || r->agent.code || reach_is_under_way(r))
		return;
	timer_start(&r->again, r->cluster->reactor, r->wait_ns ?: FIRST_WAIT_NS, on_again, r);
	r->wait_ns = (r->wait_ns ?: FIRST_WAIT_NS) * 2;
	if (r->wait_ns > LONGEST_WAIT_NS)
		r->wait_ns = LONGEST_WAIT_NS;
}

/* ---- ways it ends ---------------------------------------------------------------- */

static void fail(struct reach *r, const struct err *why)
{
	r->node.why = *why;
	r->tried = remote_close(r->tried);
	r->cluster->waiting -= r->cluster->waiting > 0;
	try_later(r);
}

static void succeed(struct reach *r, const char *version)
{
	_cleanup_(buf_done) struct buf text = {.max = 256};
	struct cluster *c = r->cluster;
	struct remote *old = r->node.remote;
	bool is_back = old;

	escape_text(&text, version, strlen(version));
	free(r->node.version);
	r->node.version = xstrdup(buf_cstr(&text));
	r->node.remote = take(r->tried);
	r->node.number = c->numbers++;
	r->node.why = (struct err){0};
	r->lost = r->silent = false;
	reach_end_beat(r); /* at the old one */
	r->reached_ns = now();
	c->waiting -= c->waiting > 0;
	if (c->agents)
		c->events->joined(c->ctx, &r->node, is_back);
	remote_close(old);
}

void reach_explain(struct err *why)
{
	static const char begin[] = "level=error msg=";
	struct err plain = *why;
	size_t n;

	if (str_starts(why->text, begin)) {
		n = strlen(begin) + (why->text[strlen(begin)] == '"');
		err_set(why, plain.code, "%s", plain.text + n);
		n = strlen(why->text);
		if (n && why->text[n - 1] == '"')
			why->text[n - 1] = '\0';
	}
	if (strstr(why->text, "no command 'dial-stdio'"))
		err_set(why, -EPROTONOSUPPORT,
			"the agent is older than this kubectl-gadget, which cannot speak to it");
}

/* ---- the way --------------------------------------------------------------------- */

static void on_hello(void *ctx, const struct grpc_reply *reply)
{
	struct reach *r = ctx;
	Api__InfoResponse *m;
	struct err err;

	r->hello = NULL;
	if (remote_broken(r->tried, &err) || remote_failure(reply, &err)) {
		reach_explain(&err);
		fail(r, &err);
		return;
	}
	m = api__info_response__unpack(NULL, reply->len, reply->bytes);
	if (m) {
		succeed(r, m->serverversion);
		api__info_response__free_unpacked(m, NULL);
	} else {
		err_set(&err, -EBADMSG, "the agent's answer is malformed");
		fail(r, &err);
	}
}

static const struct grpc_request hello = {.method = "/api.BuiltInGadgetManager/GetInfo",
					  .bytes = ""};

static void on_exec(void *ctx, const struct err *refused, struct transport *t)
{
	struct reach *r = ctx;
	struct grpc_request in_time = hello;
	struct err err;

	in_time.deadline_ns = HELLO_NS;
	r->exec = NULL;
	if (refused)
		fail(r, refused);
	else if (remote_adopt(r->cluster->reactor, t, 0, &r->tried, &err))
		fail(r, &err);
	else
		r->hello = grpc_call_unary(remote_channel(r->tried), &in_time, on_hello, r);
}

void reach_begin(struct reach *r)
{
	static const char *const ours[] = {"ig", "dial-stdio", NULL};
	const struct agent *a = &r->agent;
	const struct kube_program p = {.namespace_ = a->namespace_,
				       .pod = a->pod,
				       .container = AGENT_CONTAINER,
				       .argv = r->cluster->program ?: ours};
	struct err err;

	timer_stop(&r->again);
	r->queues = false;
	if (a->code) {
		err_set(&err, a->code, "%s", a->why);
		fail(r, &err);
		return;
	}
	r->exec = kube_exec(r->cluster->kube, &p, on_exec, r, &err);
	if (!r->exec && err.code == -EAGAIN)
		queue(r);
	else if (!r->exec)
		fail(r, &err);
}

void reach_give_up(struct reach *r)
{
	struct err err;

	if (!reach_is_under_way(r))
		return;
	timer_stop(&r->again);
	r->queues = false;
	r->exec = kube_exec_cancel(r->exec);
	r->hello = grpc_call_cancel(r->hello);
	err_set(&err, -EHOSTDOWN, "its agent does not answer");
	fail(r, &err);
}

/* ---- whether it is there ---------------------------------------------------------- */

static void on_beat(void *ctx, const struct grpc_reply *reply)
{
	struct reach *r = ctx;

	r->beat = NULL;
	if (reply->status != GRPC_OK || !r->silent)
		return;
	r->silent = false;
	r->cluster->events->silent(r->cluster->ctx, &r->node, false);
}

void reach_beat(struct reach *r)
{
	if (!r->node.remote || r->lost)
		return;
	if (!r->beat) {
		r->beat = grpc_call_unary(remote_channel(r->node.remote), &hello, on_beat, r);
	} else if (!r->silent) {
		r->silent = true;
		r->cluster->events->silent(r->cluster->ctx, &r->node, true);
	}
}

void reach_end_beat(struct reach *r)
{
	r->beat = grpc_call_cancel(r->beat);
}

void reach_free(struct reach *r)
{
	reach_end_beat(r);
	timer_stop(&r->again);
	kube_exec_cancel(r->exec);
	grpc_call_cancel(r->hello);
	remote_close(r->tried);
	remote_close(r->node.remote);
	agent_done(&r->agent);
	container_unref(r->node.host);
	free(r->node.name);
	free(r->node.version);
	free(r);
}

/* One that is lost again and again is tried less and less often. */
void cluster_lost(struct cluster *c, struct cluster_node *n)
{
	struct reach *r = container_of(n, struct reach, node);

	if (now() - r->reached_ns > LONGEST_WAIT_NS)
		r->wait_ns = 0;
	r->lost = true;
	try_later(r);
}
