// SPDX-License-Identifier: Apache-2.0
#include "client/cluster.h"

#include <poll.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "client/cluster_internal.h"
#include "client/remote.h"
#include "containers/container.h"
#include "kube/kube.h"

#define TIMEOUT_NS (10 * 1000000000ull)

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
		reach_give_up(c->nodes[i]);
	return 0;
}

static bool is_wanted(const struct cluster *c, const char *node)
{
	for (size_t i = 0; i < c->n_globs; i++)
		if (glob_matches(c->globs[i], node))
			return true;
	return !c->n_globs;
}

struct reach *cluster_add(struct cluster *c, struct agent *a)
{
	struct reach *r;

	if (!is_wanted(c, a->node) || c->n == MAX_NODES)
		return NULL;
	r = xnew(struct reach);
	r->cluster = c;
	r->node.name = xstrdup(a->node);
	r->node.host = cluster_host(a->node);
	r->agent = *a;
	*a = (struct agent){0};
	*grow(&c->nodes, &c->n, &c->room) = r;
	return r;
}

static int reach_all(struct cluster *c, const struct cluster_options *o, struct agents *agents,
		     struct err *err)
{
	for (size_t i = 0; i < agents->n; i++)
		cluster_add(c, &agents->items[i]);
	if (!c->n)
		return err_set(err, -ENOENT, "no agent runs on a node '%s'", o->nodes);
	c->waiting = c->n;
	for (size_t i = 0; i < c->n; i++)
		reach_begin(c->nodes[i]);
	return wait_for_all(c, o->timeout_ns ?: TIMEOUT_NS, err);
}

/* None was reached: what the first one says stands for all. */
static int judge(struct cluster *c, struct err *err)
{
	const struct cluster_node *first = &c->nodes[0]->node;

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

	c->namespace_ = xstrdup(o->namespace_);
	c->n_globs = o->nodes ? split(o->nodes, ',', false, &c->globs) : 0;
	c->program = o->program;
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
	cluster_unfollow(c);
	timer_stop(&c->timer);
	for (size_t i = 0; i < c->n; i++)
		reach_free(c->nodes[i]);
	free(c->nodes);
	free(c->globs);
	free(c->namespace_);
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
	return &c->nodes[i]->node;
}

struct remote *cluster_first(struct cluster *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->nodes[i]->node.remote)
			return c->nodes[i]->node.remote;
	return NULL;
}
