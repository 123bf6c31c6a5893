// SPDX-License-Identifier: Apache-2.0
/* Counting what became of each container's records. See account.h. */
#include "traces/account.h"

#include <string.h>

#include "base/mem.h"
#include "traces/hold.h"

void account_init(struct account *a, size_t max_ended)
{
	*a = (struct account){.max_ended = max_ended};
}

static void entry_free(struct account_entry *e)
{
	if (!e)
		return;
	container_unref(e->container);
	hold_free(e->hold);
	free(e);
}

void account_done(struct account *a)
{
	for (size_t i = 0; i < a->n_slots; i++)
		entry_free(a->by_slot[i]);
	for (size_t i = 0; i < a->n_ended; i++)
		container_unref(a->ended[(a->first_ended + i) % a->room_ended].container);
	free(a->by_slot);
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

struct account_entry *account_at(const struct account *a, uint32_t slot)
{
	return slot < a->n_slots ? a->by_slot[slot] : NULL;
}

struct account_entry *account_add(struct account *a, uint64_t key, struct container *c, bool wanted)
{
	uint32_t slot = container_slot(key);
	struct account_entry *e = xnew(struct account_entry);

	if (slot >= a->n_slots) {
		size_t n = a->n_slots ? a->n_slots : 16;

		while (n <= slot)
			n *= 2;
		a->by_slot = xrealloc(a->by_slot, n, sizeof(*a->by_slot));
		memset(a->by_slot + a->n_slots, 0, (n - a->n_slots) * sizeof(*a->by_slot));
		a->n_slots = n;
	}
	e->key = key;
	e->container = c ? container_ref(c) : NULL;
	e->wanted = wanted;
	a->by_slot[slot] = e;
	return e;
}

static struct totals raw_totals(const struct account_entry *e, struct gadget_counters kernel)
{
	return (struct totals){
		.seen = kernel.seen,
		.delivered = e->delivered,
		.discarded = e->discarded,
		.lost = kernel.lost + e->lost_here,
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

struct totals account_totals(const struct account_entry *e, struct gadget_counters kernel)
{
	return fold_unwanted(e, raw_totals(e, kernel));
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

uint64_t account_new_loss(struct account_entry *e, struct gadget_counters kernel)
{
	uint64_t lost = kernel.lost + e->lost_here, n = lost - e->lost_told;

	if (e->hold) /* it is told when it is known to whom */
		return 0;
	e->lost_told = lost;
	return e->wanted ? n : 0;
}

uint64_t account_last_loss(struct account_entry *e, struct gadget_counters kernel)
{
	struct totals n = raw_totals(e, kernel);

	settle(&n);
	kernel.lost = n.lost - e->lost_here;
	return account_new_loss(e, kernel);
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
			    struct gadget_counters kernel)
{
	struct totals n = raw_totals(e, kernel);

	a->unaccounted += settle(&n);
	n = fold_unwanted(e, n);
	totals_add(&a->finished, n);
	return n;
}

void account_finish(struct account *a, uint32_t slot, struct gadget_counters kernel)
{
	struct account_entry *e = account_at(a, slot);
	struct totals n;

	if (!e)
		return;
	n = finish(a, e, kernel);
	if (!e->container)
		totals_add(&a->nameless, n);
	else if (e->wanted || n.seen)
		*push_ended(a) = (struct account_end){take(e->container), n};
	a->by_slot[slot] = NULL;
	entry_free(e);
}

void account_finish_slot(struct account *a, struct gadget_counters kernel, bool wanted)
{
	struct totals n = {.seen = kernel.seen};

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
