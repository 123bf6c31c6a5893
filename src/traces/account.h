/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the records that one tracer was given: an entry for each container that it wants,
 * or may want, and what it had of those that ended. The counters of the programs are given to these
 * functions by the caller: nothing here knows BPF.
 *
 * Counters belong to what is attached and may have run before the tracer came: an entry keeps what
 * they were then (`base`), and counts from there.
 *
 * Three kinds of entry: a container's; the host's; and that of a key which is no container's (both
 * have container NULL): the detector took a process of the host for a container's first and was
 * corrected. Its records are the host's; they are counted, too.
 *
 * seen = delivered + discarded + lost holds for every struct totals that leaves here about
 * something that has ended. `seen` and `lost` come from the counters, the rest is counted here.
 * Where a broken program miscounts, account_finish() makes the difference part of the totals and
 * says so in `unaccounted`: 0 there is the proof that nothing went missing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "containers/container.h"
#include "gadget/gadget.h"
#include "traces/traces.h"

struct account_entry {
	TAILQ_ENTRY(account_entry) link;     /* in its account, oldest first */
	TAILQ_ENTRY(account_entry) of_track; /* these three are the caller's */
	struct trace *trace;
	struct track *track;
	struct container *container; /* a reference; NULL: the host, or not known */
	bool wanted;		     /* its records go to the reader */
	bool pending;		     /* whether it is wanted is not known yet */
	struct gadget_counters base;
	uint64_t delivered, discarded;
	uint64_t dropped; /* the reader had no room for them: lost to this tracer alone */
	struct loss told; /* what the reader's lost() was told already */
};
TAILQ_HEAD(account_entries, account_entry);

struct account_end {
	struct container *container;
	struct totals n;
};

struct account {
	struct account_entries entries;
	struct account_entry stray; /* records without a usable key; in no list */

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

/* A new entry. c (may be NULL) is referenced. */
struct account_entry *account_add(struct account *a, struct container *c, bool wanted,
				  struct gadget_counters base);

/* The entry as if it had never been. */
void account_drop(struct account *a, struct account_entry *e);

/*
 * The entry as of now. Of one that is not wanted, all that was not delivered counts as discarded,
 * also what was lost: nobody would have got it.
 */
struct totals account_totals(const struct account_entry *e, struct gadget_counters now);

/* What was lost since the last call, if the reader is to be told. */
struct loss account_new_loss(struct account_entry *e, struct gadget_counters now);

/* The same when all its records were read: what was counted and never came is lost as well. */
struct loss account_last_loss(struct account_entry *e, struct gadget_counters now);

/* No record of this entry will come any more: takes its totals over and frees the entry. */
void account_finish(struct account *a, struct account_entry *e, struct gadget_counters now);

/* At the very end: what has no entry. */
void account_finish_stray(struct account *a);
void account_finish_slot(struct account *a, struct gadget_counters now, bool wanted);

/* n events that no container is known for were lost. */
void account_lost_nameless(struct account *a, uint64_t n);

void totals_add(struct totals *to, struct totals n);
