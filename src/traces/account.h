/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one tracer knows of each container: whether it wants it, what became of its records, and
 * what it had when it ended. Entries lie by slot, so that a record finds its own by one look into
 * an array and a comparison of the whole key. The kernel's counters are given to these functions by
 * the caller: nothing here knows BPF.
 *
 * Three kinds of entry: a container's; the host's (key 0); and that of a key which is no
 * container's (container NULL): the detector took a process of the host for a container's first and
 * was corrected. Its records are the host's; they are counted, too.
 *
 * seen = delivered + discarded + lost holds for every struct totals that leaves here about
 * something that has ended. `seen` and most of `lost` come from the kernel, the rest is counted
 * here.
 * Where a broken program miscounts, account_finish() makes the difference part of the totals and
 * says so in `unaccounted`: 0 there is the proof that nothing went missing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "containers/container.h"
#include "gadget/gadget.h"
#include "traces/traces.h"

struct account_entry {
	uint64_t key;
	struct container *container; /* a reference; NULL: the host, or not known */
	bool wanted;		     /* its records go to the reader */
	struct hold *hold;	     /* not NULL: whether it is wanted is not known yet */
	bool ended;		     /* no longer among the selected ones */
	uint64_t stray_until;	     /* of no container: boot clock when its records have come */
	uint64_t delivered, discarded;
	uint64_t lost_here; /* taken from the ring, and not kept, or not taken by the reader */
	uint64_t lost_told; /* what the reader's lost() was told already */
	size_t held;	    /* records waiting in the sort window */
};

struct account_end {
	struct container *container;
	struct totals n;
};

struct account {
	struct account_entry **by_slot;
	size_t n_slots;
	struct account_entry stray; /* records without a usable key */

	/* A ring of those that ended: oldest at `first`. What it cannot hold is summed in `others`.
	 */
	struct account_end *ended;
	size_t first_ended, n_ended, room_ended, max_ended;
	struct totals others; /* containers that ended and whose names were let go */
	uint64_t n_others;

	struct totals nameless; /* finished entries without a container, and misses */
	struct totals finished; /* all that is finished, the above included */
	uint64_t unaccounted;	/* records that counters and readings disagreed on, when finished */
};

void account_init(struct account *a, size_t max_ended);
void account_done(struct account *a);

/* The entry of `key`, or NULL: none, or its slot has another. */
static inline struct account_entry *account_find(const struct account *a, uint64_t key)
{
	uint32_t slot = container_slot(key);
	struct account_entry *e = slot < a->n_slots ? a->by_slot[slot] : NULL;

	return e && e->key == key ? e : NULL;
}

struct account_entry *account_at(const struct account *a, uint32_t slot); /* NULL: free */

/* A new entry; its slot is free and below MAX_SLOTS. c (may be NULL) is referenced. */
struct account_entry *account_add(struct account *a, uint64_t key, struct container *c,
				  bool wanted);

/*
 * The entry as of now. Of a container that is not wanted, all that was not delivered counts as
 * discarded, also what was lost: nobody would have got it.
 */
struct totals account_totals(const struct account_entry *e, struct gadget_counters kernel);

/* What was lost since the last call, if the reader is to be told. */
uint64_t account_new_loss(struct account_entry *e, struct gadget_counters kernel);

/* The same when all its records were read: what was counted and never came is lost as well. */
uint64_t account_last_loss(struct account_entry *e, struct gadget_counters kernel);

/*
 * No record of this entry will come any more: takes its totals over and frees the entry and its
 * slot.
 */
void account_finish(struct account *a, uint32_t slot, struct gadget_counters kernel);

/* At the very end: what has no entry. */
void account_finish_stray(struct account *a);
void account_finish_slot(struct account *a, struct gadget_counters kernel, bool wanted);

/* n events that no container is known for were lost. */
void account_lost_nameless(struct account *a, uint64_t n);

void totals_add(struct totals *to, struct totals n);
