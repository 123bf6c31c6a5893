// SPDX-License-Identifier: Apache-2.0
#include "client/cluster.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "base/utf8.h"
#include "client/remote.h"
#include "containers/container.h"
#include "kube/agents.h"
#include "kube/exec.h"
#include "kube/kube.h"
#include "net/grpc.h"
#include "net/transport.h"
#include "wire/api.pb-c.h"

#define TIMEOUT_NS (10 * 1000000000ull)

/* A node while it is being reached: an exec, then a call by which its daemon shows itself. */
struct reach {
	struct cluster *cluster;
	struct cluster_node node; /* first of what others see */
	struct kube_exec *exec;
	struct grpc_call *hello;
};

struct cluster {
	struct reactor *reactor;
	struct kube *kube;
	struct reach *nodes;
	size_t n, waiting;
	struct timer timer;
	bool too_late;
};

/* ---- reaching one ---------------------------------------------------------------- */

static void fail(struct reach *r, const struct err *why)
{
	r->node.why = *why;
	r->node.remote = remote_close(r->node.remote);
	r->cluster->waiting--;
}

/* What the program in the agent logged is said in our words. */
static void explain(struct err *why)
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

static void on_hello(void *ctx, const struct grpc_reply *reply)
{
	struct reach *r = ctx;
	_cleanup_(buf_done) struct buf version = {.max = 256};
	Api__InfoResponse *m;
	struct err err;

	r->hello = NULL;
	if (remote_broken(r->node.remote, &err) || remote_failure(reply, &err)) {
		explain(&err);
		fail(r, &err);
		return;
	}
	m = api__info_response__unpack(NULL, reply->len, reply->bytes);
	if (!m) {
		err_set(&err, -EBADMSG, "the agent's answer is malformed");
		fail(r, &err);
		return;
	}
	escape_text(&version, m->serverversion, strlen(m->serverversion));
	r->node.version = xstrdup(buf_cstr(&version));
	api__info_response__free_unpacked(m, NULL);
	r->cluster->waiting--;
}

static void on_exec(void *ctx, const struct err *refused, struct transport *t)
{
	struct reach *r = ctx;
	const struct grpc_request hello = {.method = "/api.BuiltInGadgetManager/GetInfo",
					   .bytes = ""};
	struct err err;

	r->exec = NULL;
	if (refused) {
		fail(r, refused);
	} else if (remote_adopt(r->cluster->reactor, t, 0, &r->node.remote, &err)) {
		fail(r, &err);
	} else {
		r->hello = grpc_call_unary(remote_channel(r->node.remote), &hello, on_hello, r);
	}
}

static void reach(struct reach *r, const struct agent *a, const char *const *program)
{
	static const char *const ours[] = {"ig", "dial-stdio", NULL};
	const struct kube_program p = {.namespace_ = a->namespace_,
				       .pod = a->pod,
				       .container = AGENT_CONTAINER,
				       .argv = program ?: ours};
	struct err err;

	r->cluster->waiting++;
	if (a->code) {
		err_set(&err, a->code, "%s", a->why);
		fail(r, &err);
		return;
	}
	r->exec = kube_exec(r->cluster->kube, &p, on_exec, r, &err);
	if (!r->exec)
		fail(r, &err);
}

/* Nothing came of it in time. */
static void give_up(struct reach *r)
{
	struct err err;

	if (!r->exec && !r->hello)
		return;
	r->exec = kube_exec_cancel(r->exec);
	r->hello = grpc_call_cancel(r->hello);
	err_set(&err, -EHOSTDOWN, "its agent does not answer");
	fail(r, &err);
}

/* ---- reaching all ---------------------------------------------------------------- */

static void on_too_late(void *ctx)
{
	((struct cluster *)ctx)->too_late = true;
}

static int wait_for_all(struct cluster *c, uint64_t ns, struct err *err)
{
	struct pollfd p = {.fd = reactor_fd(c->reactor), .events = POLLIN};

	timer_start(&c->timer, c->reactor, ns, on_too_late, c);
	while (c->waiting && !c->too_late) {
		if (poll(&p, 1, -1) < 0)
			return err_set(err, -errno, "waiting for the nodes: %s", strerror(errno));
		reactor_dispatch(c->reactor);
	}
	timer_stop(&c->timer);
	for (size_t i = 0; i < c->n; i++)
		give_up(&c->nodes[i]);
	return 0;
}

static bool is_asked_for(const char *node, char *const *globs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (glob_matches(globs[i], node))
			return true;
	return !n;
}

static int reach_all(struct cluster *c, const struct cluster_options *o,
		     const struct agents *agents, struct err *err)
{
	_cleanup_(freep) char **globs = NULL;
	size_t n_globs = o->nodes ? split(o->nodes, ',', false, &globs) : 0;

	c->nodes = xnew_n(struct reach, agents->n);
	for (size_t i = 0; i < agents->n; i++) {
		struct reach *r = &c->nodes[c->n];

		if (!is_asked_for(agents->items[i].node, globs, n_globs))
			continue;
		c->n++;
		r->cluster = c;
		r->node.name = xstrdup(agents->items[i].node);
		r->node.number = (size_t)(r - c->nodes);
		reach(r, &agents->items[i], o->program);
	}
	if (!c->n)
		return err_set(err, -ENOENT, "no agent runs on a node '%s'", o->nodes);
	return wait_for_all(c, o->timeout_ns ?: TIMEOUT_NS, err);
}

/* None was reached: what the first one says stands for all. */
static int judge(struct cluster *c, struct err *err)
{
	const struct cluster_node *first = &c->nodes[0].node;

	if (cluster_first(c))
		return 0;
	if (c->n == 1)
		return err_set(err, first->why.code, "node %s: %s", first->name, first->why.text);
	return err_set(err, first->why.code, "none of %zu nodes was reached; %s: %s", c->n,
		       first->name, first->why.text);
}

int cluster_open(const struct cluster_options *o, struct cluster **ret, struct err *err)
{
	struct cluster *c = xnew(struct cluster);
	struct agents agents = {0};
	int r = reactor_new(&c->reactor, err);

	r = r ?: kube_open(&(struct kube_options){o->kubectl_flags}, c->reactor, &c->kube, err);
	r = r ?: agents_list(c->kube, o->namespace_, &agents, err);
	r = r ?: reach_all(c, o, &agents, err);
	r = r ?: judge(c, err);
	agents_done(&agents);
	if (r)
		cluster_close(c);
	else
		*ret = c;
	return r;
}

struct cluster *cluster_close(struct cluster *c)
{
	if (!c)
		return NULL;
	timer_stop(&c->timer);
	for (size_t i = 0; i < c->n; i++) {
		struct reach *r = &c->nodes[i];

		kube_exec_cancel(r->exec);
		grpc_call_cancel(r->hello);
		remote_close(r->node.remote);
		free(r->node.name);
		free(r->node.version);
	}
	free(c->nodes);
	kube_close(c->kube);
	reactor_free(c->reactor);
	free(c);
	return NULL;
}

/* ---- what there is --------------------------------------------------------------- */

size_t cluster_n_nodes(const struct cluster *c)
{
	return c->n;
}

struct cluster_node *cluster_node(struct cluster *c, size_t i)
{
	return &c->nodes[i].node;
}

struct reactor *cluster_reactor(struct cluster *c)
{
	return c->reactor;
}

struct remote *cluster_first(struct cluster *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->nodes[i].node.remote)
			return c->nodes[i].node.remote;
	return NULL;
}

#define VERSION_BITS 40

struct row cluster_row(const struct cluster_node *n, const struct row *row)
{
	struct container *c = (struct container *)row->part[PART_CONTAINER];
	struct row r = *row;

	r.clock = r.clock ?: &n->clock;
	if (!c) {
		r.part[PART_CONTAINER] = &n->name;
		r.size[PART_CONTAINER] = sizeof(n->name);
		return r;
	}
	if (!c->k8s_node || strcmp(c->k8s_node, n->name) != 0) {
		free(c->k8s_node);
		c->k8s_node = xstrdup(n->name);
	}
	if (r.container_version >> VERSION_BITS)
		r.container_version = 0;
	if (r.container_version)
		r.container_version |= (uint64_t)(n->number + 1) << VERSION_BITS;
	return r;
}
