// SPDX-License-Identifier: Apache-2.0
#include "traceloop/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "traceloop/syscalls.h"

#define DEFAULT_RING_BYTES (1ull << 20)
#define DEFAULT_BUDGET_BYTES (256ull << 20)
#define DEFAULT_KEEP_NS (3600 * 1000000000ull)

uint64_t loop_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- room ------------------------------------------------------------------------ */

static size_t rings_ready(const struct traceloop *t)
{
	size_t used = t->n_tracelets + loop_kernel_settling(t->kernel);
	size_t all = loop_kernel_rings(t->kernel);

	return used < all ? all - used : 0;
}

static bool fits_budget(const struct traceloop *t)
{
	size_t rings = loop_kernel_rings(t->kernel) + LOOP_SHEAF;

	return rings * loop_kernel_ring_bytes(t->kernel) <= t->budget_bytes;
}

/* Nobody tells of a cgroup that was added, and is gone; one that is being added is not shown yet.
 */
void traceloop_notice_gone(struct traceloop *t)
{
	struct tracelet *l;

	TAILQ_FOREACH(l, &t->tracelets, link)
		if (!l->container && l->is_shown && !l->ended &&
		    containers_cgroup_id(t->containers, l->cgroup_path) != l->cgroup_id)
			l->ended = loop_now();
	traceloop_tidy_later(t);
}

/* The ring whose container ended first. */
static struct tracelet *first_ended(const struct traceloop *t)
{
	struct tracelet *first = NULL, *l;

	TAILQ_FOREACH(l, &t->tracelets, link)
		if (l->ended && (!first || l->ended < first->ended))
			first = l;
	return first;
}

static void say_over_budget(struct traceloop *t)
{
	char text[200];

	if (t->over_budget || !t->warn)
		return;
	t->over_budget = true;
	snprintf(text, sizeof(text),
		 "traceloop: more running containers than its budget has rings for; passing it");
	t->warn(t->warn_ctx, text);
}

static bool prepare(struct traceloop *t)
{
	struct err err = {0};

	if (!loop_kernel_prepare(t->kernel, &err))
		return true;
	if (t->warn)
		t->warn(t->warn_ctx, err.text);
	return false;
}

void traceloop_make_room(struct traceloop *t)
{
	while (rings_ready(t) < RINGS_READY) {
		size_t coming = loop_kernel_settling(t->kernel);
		struct tracelet *old;

		if (!fits_budget(t)) {
			if (rings_ready(t) + coming >= RINGS_READY)
				return;
			traceloop_notice_gone(t);
			old = first_ended(t);
			if (old) {
				tracelet_close(t, old);
				continue;
			}
			say_over_budget(t);
		}
		if (!prepare(t))
			return;
	}
}

/* ---- as time goes by ------------------------------------------------------------- */

static void tidy(void *ctx)
{
	struct traceloop *t = ctx;
	uint64_t now = loop_now();
	struct tracelet *l, *next;

	for (l = TAILQ_FIRST(&t->tracelets); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->ended && l->ended + t->keep_ns <= now)
			tracelet_close(t, l);
	}
	loop_kernel_settle(t->kernel, now);
	traceloop_make_room(t);
	traceloop_tidy_later(t);
}

/* Nothing ticks while nothing waits. */
void traceloop_tidy_later(struct traceloop *t)
{
	struct tracelet *old = first_ended(t);
	uint64_t settles = loop_kernel_settles_at(t->kernel), now = loop_now();
	uint64_t due = old ? old->ended + t->keep_ns : UINT64_MAX;

	if (settles && settles < due)
		due = settles;
	if (due == UINT64_MAX)
		timer_stop(&t->tidy);
	else
		timer_start(&t->tidy, t->reactor, due > now ? due - now : 0, tidy, t);
}

/* ---- life ------------------------------------------------------------------------ */

static int load(struct traceloop *t, const struct traceloop_options *o, struct err *err)
{
	_cleanup_(freep) struct loop_call *calls = xnew_n(struct loop_call, LOOP_CALLS + 1);
	const struct loop_kernel_options ko = {.ring_bytes = o->ring_bytes ?: DEFAULT_RING_BYTES,
					       .calls = calls,
					       .additions_fd =
						       containers_additions_fd(t->containers)};
	int r = syscall_plan(o->syscalls, calls, err);

	r = r ?: loop_kernel_new(&ko, &t->kernel, err);
	if (r)
		return r;
	return loop_kernel_prepare(t->kernel, err);
}

int traceloop_new(struct reactor *r, struct containers *cs, const struct traceloop_options *o,
		  struct traceloop **ret, struct err *err)
{
	struct traceloop *t = xnew(struct traceloop);
	int code;

	TAILQ_INIT(&t->tracelets);
	t->reactor = r;
	t->containers = cs;
	t->selector = o->selector;
	t->budget_bytes = o->budget_bytes ?: DEFAULT_BUDGET_BYTES;
	t->keep_ns = o->keep_ns ?: DEFAULT_KEEP_NS;
	t->warn = o->warn;
	t->warn_ctx = o->warn_ctx;
	clock_base_now(&t->clock);
	if (getrandom(&t->trace_ids, sizeof(t->trace_ids), 0) < 0)
		t->trace_ids = loop_now();
	code = load(t, o, err);
	/* First the kernel adds what comes, then we what is there: nothing falls between. */
	code = code ?: containers_attach_map(cs, loop_kernel_wanted_fd(t->kernel), err);
	if (code) {
		loop_kernel_free(t->kernel);
		free(t);
		return code;
	}
	t->subscription = containers_subscribe(cs, tracelets_follow, t);
	code = loop_kernel_attach(t->kernel, err);
	if (code) {
		traceloop_free(t);
		return code;
	}
	*ret = t;
	return 0;
}

struct traceloop *traceloop_free(struct traceloop *t)
{
	if (!t)
		return NULL;
	containers_unsubscribe(t->containers, t->subscription);
	containers_detach_map(t->containers, loop_kernel_wanted_fd(t->kernel));
	while (!TAILQ_EMPTY(&t->tracelets))
		tracelet_close(t, TAILQ_FIRST(&t->tracelets));
	timer_stop(&t->tidy);
	loop_kernel_free(t->kernel);
	free(t);
	return NULL;
}

void traceloop_cost(const struct traceloop *t, struct traceloop_cost *ret)
{
	*ret = (struct traceloop_cost){
		.ring_bytes = loop_kernel_rings(t->kernel) * loop_kernel_ring_bytes(t->kernel),
		.map_bytes = loop_kernel_map_bytes(t->kernel),
		.runtime = loop_kernel_runtime(t->kernel),
	};
}
