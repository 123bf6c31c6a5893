// SPDX-License-Identifier: Apache-2.0
/* Nodes that come and go, by a watch of the agents' pods. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "client/cluster_internal.h"
#include "kube/kube.h"
#include "kube/reflector.h"

#define PAGE 500
#define BEAT_NS (10 * 1000000000ull)

static struct reach *find(const struct cluster *c, const char *node)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->nodes[i]->node.name, node))
			return c->nodes[i];
	return NULL;
}

/* Of several pods on a node, as while the agent is replaced, the one that is ready counts. */
static void take_news(struct reach *r, struct agent *a)
{
	if (a->code && strcmp(r->agent.pod, a->pod) != 0)
		return;
	agent_done(&r->agent);
	r->agent = *a;
	*a = (struct agent){0};
}

static void on_changed(void *ctx, const json_t *pod)
{
	struct cluster *c = ctx;
	struct agent a = agent_of(pod);
	struct reach *r = find(c, a.node);

	if (r)
		take_news(r, &a);
	else if (*a.node && *a.pod && *a.namespace_ && !a.code)
		r = cluster_add(c, &a);
	agent_done(&a);
	if (r && !r->agent.code && (r->lost || !r->node.remote) && !reach_is_under_way(r))
		reach_begin(r);
}

static void on_deleted(void *ctx, const json_t *pod)
{
	struct agent a = agent_of(pod);
	struct reach *r = find(ctx, a.node);

	if (r && !strcmp(r->agent.pod, a.pod)) {
		r->agent.code = -EHOSTDOWN;
		free(r->agent.why);
		r->agent.why = xstrdup("its agent is gone");
	}
	agent_done(&a);
}

/* A node whose agent is gone is noticed by its connection. */
static void on_list(void *ctx)
{
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct cluster *c = ctx;

	if (err)
		reflector_list(c->agents);
	c->events->trouble(c->ctx, err);
}

/*
 * A question now and then keeps those on the way from taking a node that has nothing to tell for
 * one that is gone, and shows which do not answer.
 */
static void on_beats(void *ctx)
{
	struct cluster *c = ctx;

	for (size_t i = 0; i < c->n; i++)
		reach_beat(c->nodes[i]);
	timer_start(&c->beats, c->reactor, BEAT_NS, on_beats, c);
}

void cluster_follow(struct cluster *c, const struct cluster_events *events, void *ctx)
{
	static const struct reflector_events of_agents = {.list_begin = on_list,
							  .list_end = on_list,
							  .changed = on_changed,
							  .deleted = on_deleted,
							  .trouble = on_trouble};
	_cleanup_(buf_done) struct buf path = {.max = 4096}, query = {.max = 4096};

	c->events = events;
	c->ctx = ctx;
	agents_where(c->namespace_, &path, &query);
	c->agents = reflector_new(c->reactor, kube_server(c->kube), buf_cstr(&path),
				  buf_cstr(&query), PAGE, &of_agents, c);
	timer_start(&c->beats, c->reactor, BEAT_NS, on_beats, c);
}

void cluster_unfollow(struct cluster *c)
{
	c->agents = reflector_free(c->agents);
	timer_stop(&c->beats);
	for (size_t i = 0; i < c->n; i++) {
		timer_stop(&c->nodes[i]->again);
		reach_end_beat(c->nodes[i]);
	}
}
