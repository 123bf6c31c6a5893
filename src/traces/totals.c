// SPDX-License-Identifier: Apache-2.0
/* What is told of a tracer's counts, while it runs and afterwards. */
#include "traces/internal.h"

#include "base/mem.h"

/* Entries without a container are told apart by nobody: any of them will do. */
static struct account_entry *entry_that_delivered(struct trace *t, const struct container *c)
{
	const struct track *k = c ? track_find(t->attachment, c->key) : NULL;
	struct account_entry *e;

	if (c)
		return k ? share_of(k, t) : NULL;
	TAILQ_FOREACH(e, &t->account.entries, link)
		if (!e->container && e->delivered)
			return e;
	return NULL;
}

void trace_take_back(struct trace *t, const struct container *c)
{
	struct account_entry *e = entry_that_delivered(t, c);

	if (!e || !e->delivered)
		return;
	e->delivered--;
	e->discarded++;
}

uint64_t trace_unaccounted(const struct trace *t)
{
	return t->account.unaccounted;
}

static struct totals totals_of(const struct trace *t, const struct account_entry *e)
{
	return account_totals(e, track_counted(t->attachment, e->track));
}

struct totals trace_totals(struct trace *t)
{
	struct totals n = t->account.finished;
	struct account_entry *e;

	TAILQ_FOREACH(e, &t->account.entries, link)
		totals_add(&n, totals_of(t, e));
	return n;
}

/* Where names had to be let go, one container stands for all of them. */
static void give_others(const struct account *a,
			void (*fn)(void *, struct container *, struct totals), void *ctx)
{
	_cleanup_(container_unrefp) struct container *c = NULL;

	if (!a->n_others)
		return;
	c = container_new();
	c->name = xasprintf("(%llu earlier containers)", (unsigned long long)a->n_others);
	c->ended = true;
	fn(ctx, c, a->others);
}

void trace_each_total(struct trace *t, void (*fn)(void *ctx, struct container *c, struct totals n),
		      void *ctx)
{
	const struct account *a = &t->account;
	struct totals nameless = a->nameless;
	struct account_entry *e;

	give_others(a, fn, ctx);
	for (size_t i = 0; i < a->n_ended; i++) {
		const struct account_end *end = &a->ended[(a->first_ended + i) % a->room_ended];

		fn(ctx, end->container, end->n);
	}
	TAILQ_FOREACH(e, &a->entries, link) {
		if (e->container)
			fn(ctx, e->container, totals_of(t, e));
		else
			totals_add(&nameless, totals_of(t, e));
	}
	if (nameless.seen)
		fn(ctx, NULL, nameless);
}
