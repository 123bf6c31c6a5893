// SPDX-License-Identifier: Apache-2.0
/* Counting what became of each container's records. See account.h. */
#include "traces/account.h"

#include "base/mem.h"

void account_init(struct account *a, size_t max_ended)
{
	*a = (struct account){.max_ended = max_ended};
	TAILQ_INIT(&a->entries);
}

void account_drop(struct account *a, struct account_entry *e)
{
	TAILQ_REMOVE(&a->entries, e, link);
	container_unref(e->container);
	free(e);
}

void account_done(struct account *a)
{
	struct account_entry *e;

	while ((e = TAILQ_FIRST(&a->entries)))
		account_drop(a, e);
	for (size_t i = 0; i < a->n_ended; i++)
		container_unref(a->ended[(a->first_ended + i) % a->room_ended].container);
	free(a->ended);
	account_init(a, a->max_ended);
}

void totals_add(struct totals *to, struct totals n)
{
	to->seen += n.seen;
	to->delivered += n.delivered;
	to->discarded += n.discarded;
	to->lost += n.lost;
}

struct account_entry *account_add(struct account *a, struct container *c, bool wanted,
				  struct gadget_counters base)
{
	struct account_entry *e = xnew(struct account_entry);

	e->container = c ? container_ref(c) : NULL;
	e->wanted = wanted;
	e->base = base;
	TAILQ_INSERT_TAIL(&a->entries, e, link);
	return e;
}

/* What came after the base; programs that miscount may be behind it. */
static uint64_t since(uint64_t now, uint64_t base)
{
	return now > base ? now - base : 0;
}

static struct totals raw_totals(const struct account_entry *e, struct gadget_counters now)
{
	return (struct totals){
		.seen = since(now.seen, e->base.seen),
		.delivered = e->delivered,
		.discarded = e->discarded,
		.lost = since(now.lost, e->base.lost) + e->dropped,
	};
}

static struct totals fold_unwanted(const struct account_entry *e, struct totals n)
{
	if (!e->wanted) {
		n.discarded += n.lost;
		n.lost = 0;
	}
	return n;
}

struct totals account_totals(const struct account_entry *e, struct gadget_counters now)
{
	return fold_unwanted(e, raw_totals(e, now));
}

/* Makes both sides equal, whichever is short. */
static uint64_t settle(struct totals *n)
{
	uint64_t known = n->delivered + n->discarded + n->lost, difference;

	if (n->seen > known) { /* counted in the kernel, never came */
		difference = n->seen - known;
		n->lost += difference;
	} else { /* came, but was not counted */
		difference = known - n->seen;
		n->seen = known;
	}
	return difference;
}

static struct loss tell_loss(struct account_entry *e, uint64_t lost)
{
	struct loss n = {lost - e->told.count, e->dropped - e->told.own};

	if (e->pending) /* it is told when it is known to whom */
		return (struct loss){0};
	e->told = (struct loss){lost, e->dropped};
	return e->wanted ? n : (struct loss){0};
}

struct loss account_new_loss(struct account_entry *e, struct gadget_counters now)
{
	return tell_loss(e, raw_totals(e, now).lost);
}

struct loss account_last_loss(struct account_entry *e, struct gadget_counters now)
{
	struct totals n = raw_totals(e, now);

	settle(&n);
	return tell_loss(e, n.lost);
}

/* Room for one more name: grows up to max_ended, then lets the oldest go into `others`. */
static struct account_end *push_ended(struct account *a)
{
	if (a->n_ended == a->room_ended && a->room_ended < a->max_ended) {
		size_t room = a->room_ended ? a->room_ended * 2 : 16;
		struct account_end *all;

		if (room > a->max_ended)
			room = a->max_ended;
		all = xnew_n(struct account_end, room);
		for (size_t i = 0; i < a->n_ended; i++)
			all[i] = a->ended[(a->first_ended + i) % a->room_ended];
		free(a->ended);
		a->ended = all;
		a->room_ended = room;
		a->first_ended = 0;
	}
	if (a->n_ended == a->room_ended) {
		struct account_end *oldest = &a->ended[a->first_ended];

		totals_add(&a->others, oldest->n);
		a->n_others++;
		container_unref(oldest->container);
		a->first_ended = (a->first_ended + 1) % a->room_ended;
		a->n_ended--;
	}
	return &a->ended[(a->first_ended + a->n_ended++) % a->room_ended];
}

static struct totals finish(struct account *a, const struct account_entry *e,
			    struct gadget_counters now)
{
	struct totals n = raw_totals(e, now);

	a->unaccounted += settle(&n);
	n = fold_unwanted(e, n);
	totals_add(&a->finished, n);
	return n;
}

void account_finish(struct account *a, struct account_entry *e, struct gadget_counters now)
{
	struct totals n = finish(a, e, now);

	if (!e->container)
		totals_add(&a->nameless, n);
	else if (e->wanted || n.seen)
		*push_ended(a) = (struct account_end){take(e->container), n};
	account_drop(a, e);
}

void account_finish_slot(struct account *a, struct gadget_counters now, bool wanted)
{
	struct totals n = {.seen = now.seen};

	*(wanted ? &n.lost : &n.discarded) = n.seen; /* counted, and nothing came */
	totals_add(&a->finished, n);
	totals_add(&a->nameless, n);
}

void account_finish_stray(struct account *a)
{
	totals_add(&a->nameless, finish(a, &a->stray, (struct gadget_counters){0}));
	a->stray = (struct account_entry){0};
}

void account_lost_nameless(struct account *a, uint64_t n)
{
	struct totals t = {.seen = n, .lost = n};

	totals_add(&a->nameless, t);
	totals_add(&a->finished, t);
}
