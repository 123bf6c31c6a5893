// SPDX-License-Identifier: Apache-2.0
/*
 * Tracks lie by slot, so that a record finds its own by one look into an array and a comparison of
 * the whole key. A share is a tracer's entry (account.h) in a track.
 */
#include "traces/internal.h"

#include <string.h>

#include "base/mem.h"
#include "columns/types.h"

struct track *track_at(const struct attachment *a, uint32_t slot)
{
	return slot < a->n_slots ? a->by_slot[slot] : NULL;
}

static void make_room(struct attachment *a, uint32_t slot)
{
	size_t n = a->n_slots ? a->n_slots : 16;

	while (n <= slot)
		n *= 2;
	if (n == a->n_slots)
		return;
	a->by_slot = xrealloc(a->by_slot, n, sizeof(struct track *));
	memset(a->by_slot + a->n_slots, 0, (n - a->n_slots) * sizeof(struct track *));
	a->n_slots = n;
}

struct track *track_add(struct attachment *a, uint64_t key, struct container *c)
{
	uint32_t slot = container_slot(key);
	struct track *k = xnew(struct track);

	make_room(a, slot);
	k->key = key;
	k->container = c ? container_ref(c) : NULL;
	TAILQ_INIT(&k->shares);
	a->by_slot[slot] = k;
	return k;
}

/* Who has no share in what was counted wrong is told all the same. */
static void check(struct attachment *a, const struct track *k)
{
	uint64_t seen = track_counted(a, k).seen, read = track_read(a, k).seen;

	for (size_t i = 0; i < a->n_tracers && TAILQ_EMPTY(&k->shares); i++)
		a->tracers[i]->account.unaccounted += seen > read ? seen - read : read - seen;
}

void track_finish(struct attachment *a, struct track *k)
{
	struct gadget_counters now = track_counted(a, k);
	uint32_t slot = container_slot(k->key);
	struct account_entry *e;

	check(a, k);
	while ((e = TAILQ_FIRST(&k->shares)))
		share_close(e, now);
	gadget_counters_reset(a->gadget, slot);
	a->ts->n_strays -= !k->container && slot != G_HOST;
	a->by_slot[slot] = NULL;
	container_unref(k->container);
	hold_free(k->hold);
	free(k);
}

struct gadget_counters track_counted(const struct attachment *a, const struct track *k)
{
	struct gadget_counters n = {0};

	if (k != &a->stray)
		n = gadget_counters(a->gadget, container_slot(k->key));
	n.lost += k->lost_here;
	return n;
}

struct gadget_counters track_read(const struct attachment *a, const struct track *k)
{
	uint64_t lost = track_counted(a, k).lost;

	return (struct gadget_counters){k->read + lost, lost};
}

struct gadget_counters track_given(const struct attachment *a, const struct track *k)
{
	struct gadget_counters n = track_read(a, k);

	n.seen -= k->waiting;
	return n;
}

/* ---- shares ---------------------------------------------------------------------- */

struct account_entry *share_add(struct track *k, struct trace *t, bool wanted,
				struct gadget_counters base)
{
	struct account_entry *e = account_add(&t->account, k->container, wanted, base);

	e->trace = t;
	e->track = k;
	e->pending = k->hold;
	k->n_wanted += wanted;
	TAILQ_INSERT_TAIL(&k->shares, e, of_track);
	return e;
}

struct account_entry *share_of(const struct track *k, const struct trace *t)
{
	struct account_entry *e;

	TAILQ_FOREACH(e, &k->shares, of_track)
		if (e->trace == t)
			return e;
	return NULL;
}

void share_want(struct account_entry *e, bool wanted)
{
	e->track->n_wanted += wanted;
	e->track->n_wanted -= e->wanted;
	e->wanted = wanted;
}

static void take_out(struct account_entry *e)
{
	e->track->n_wanted -= e->wanted;
	TAILQ_REMOVE(&e->track->shares, e, of_track);
}

void share_drop(struct account_entry *e)
{
	take_out(e);
	account_drop(&e->trace->account, e);
}

void share_close(struct account_entry *e, struct gadget_counters now)
{
	take_out(e);
	account_finish(&e->trace->account, e, now);
}
