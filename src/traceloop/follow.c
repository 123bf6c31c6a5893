// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that come and go. The kernel side has put a new one into the map of wanted ones, and
 * may have given it a ring, before we hear of it.
 */
#include "traceloop/internal.h"

#include "base/parse.h"
#include "containers/selector.h"

static bool is_selected(const struct traceloop *t, const struct container *c)
{
	return !t->selector || selector_matches(t->selector, c);
}

static void take_out(struct traceloop *t, struct container *c)
{
	struct tracelet *l = tracelet_of(t, c->key);

	if (l) {
		tracelet_close(t, l);
		return;
	}
	containers_map_remove(t->containers, loop_kernel_wanted_fd(t->kernel), c);
	loop_kernel_release(t->kernel, c->key, loop_now());
}

static bool is_of_same_pod(const struct container *a, const struct container *b)
{
	return a && b && a->k8s_pod && b->k8s_pod && str_equal(a->k8s_pod, b->k8s_pod) &&
	       str_equal(a->k8s_namespace, b->k8s_namespace) &&
	       str_equal(a->k8s_pod_uid, b->k8s_pod_uid);
}

/* One more than the last of its pod's has, also where earlier ones are gone by now. */
static unsigned int index_in_pod(struct traceloop *t, const struct tracelet *of)
{
	const struct tracelet *l;
	unsigned int next = 0;

	TAILQ_FOREACH(l, &t->tracelets, link)
		if (l != of && l->is_shown && is_of_same_pod(l->container, of->container) &&
		    l->index >= next)
			next = l->index + 1;
	return next;
}

static void found(struct traceloop *t, struct container *c)
{
	if (tracelet_of(t, c->key))
		return;
	tracelet_new(t, c->key, c);
	containers_map_add(t->containers, loop_kernel_wanted_fd(t->kernel), c);
}

static void added(struct traceloop *t, struct container *c)
{
	struct tracelet *l;

	if (!is_selected(t, c)) {
		take_out(t, c);
		return;
	}
	found(t, c);
	l = tracelet_of(t, c->key);
	l->index = index_in_pod(t, l);
	l->is_shown = true;
}

static void changed(struct traceloop *t, struct container *c)
{
	if (tracelet_of(t, c->key) && !is_selected(t, c))
		take_out(t, c);
}

/* What it still does in its last moment is recorded. */
static void ended(struct traceloop *t, struct container *c)
{
	struct tracelet *l = tracelet_of(t, c->key);

	if (l)
		l->ended = loop_now();
}

void tracelets_follow(void *ctx, enum container_event event, struct container *c)
{
	static void (*const react[])(struct traceloop * t, struct container * c) = {
		[CONTAINER_FOUND] = found,     [CONTAINER_ADDED] = added,
		[CONTAINER_CHANGED] = changed, [CONTAINER_DROPPED] = take_out,
		[CONTAINER_REMOVED] = ended,
	};
	struct traceloop *t = ctx;

	react[event](t, c);
	traceloop_make_room(t);
	traceloop_tidy_later(t);
}
