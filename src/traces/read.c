// SPDX-License-Identifier: Apache-2.0
/* From ring to reader: each record's container, the sort window, tables, loss. */
#include "traces/internal.h"

#include <string.h>

#include "base/mem.h"
#include "columns/types.h"

static uint64_t number_at(const void *record, uint32_t size, int offset)
{
	uint64_t n = 0;

	if (offset >= 0 && size >= (uint32_t)offset + sizeof(n))
		memcpy(&n, (const char *)record + offset, sizeof(n));
	return n;
}

static inline struct track *track_of(struct attachment *a, const struct trace_source *s,
				     const void *record, uint32_t size)
{
	uint64_t key = number_at(record, size, s->container_offset);

	return track_find(a, key) ?: follow_unknown(a, key);
}

/* ---- to the readers -------------------------------------------------------------- */

static struct row row_of(const struct attachment *a, const struct track *k, const void *record,
			 uint32_t size)
{
	struct traces *ts = a->ts;
	struct owner_names *host = containers_owners(ts->containers, k->container, ts->now);

	return container_row(k->container, record, size, host);
}

static void deliver(struct account_entry *e, unsigned int source, const struct row *row, bool late)
{
	struct trace *t = e->trace;
	/* Of a table: records of streams wait for the name. */
	bool wanted = e->wanted && (!e->pending || follow_selects(e));

	enum row_fate fate =
		wanted ? t->reader.row(t->reader.ctx, t, source, row, late) : ROW_DISCARDED;

	e->delivered += fate == ROW_DELIVERED;
	e->discarded += fate == ROW_DISCARDED;
	e->dropped += fate == ROW_LOST;
}

/* To each tracer that has a share in it. */
static void give(const struct attachment *a, struct track *k, unsigned int source,
		 const void *record, uint32_t size, bool late)
{
	struct row row = row_of(a, k, record, size);
	struct account_entry *e;

	TAILQ_FOREACH(e, &k->shares, of_track)
		deliver(e, source, &row, late);
}

/* What is held while there were two streams is in front of the one that is left. */
static bool is_merged(const struct traces *ts)
{
	return ts->merge && (ts->n_streams > 1 || merge_held(ts->merge));
}

static void merge(struct attachment *a, unsigned int source, struct track *k, const void *record,
		  uint32_t size)
{
	const struct trace_source *s = &a->sources[source];
	struct traces *ts = a->ts;
	struct merge_row row = {
		.owner = a,
		.tag = k,
		.source = source,
		.size = size,
		.record = record,
		.time = s->time_offset < 0 ? ts->now : number_at(record, size, s->time_offset),
	};

	if (row.time > ts->newest)
		ts->newest = boot_now(); /* it was made while we read */
	k->waiting++;
	merge_push(ts->merge, &row, ts->newest);
}

/* At once, or into the sort window; what nobody wants is not held there. */
static void pass_on(struct attachment *a, unsigned int source, struct track *k, const void *record,
		    uint32_t size)
{
	if (k->n_wanted && is_merged(a->ts))
		merge(a, source, k, record, size);
	else
		give(a, k, source, record, size, false);
}

void read_release(void *ctx, const struct merge_row *row, bool late)
{
	struct track *k = row->tag;

	k->waiting--;
	give(row->owner, k, row->source, row->record, row->size, late);
}

/* ---- from rings and tables ------------------------------------------------------- */

/* From the ring: what nobody can name yet waits for its container's name. */
static void on_stream_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct attachment *a = ctx;
	const struct trace_source *s = &a->sources[source];
	struct track *k = track_of(a, s, record, size);

	/* Now, while the process may be there; what is held or recorded has the names. */
	if ((s->n_texts || s->decoder) && k->n_wanted)
		record = texts_made(a->ts, s, record, &size);
	if (k->hold &&
	    !hold_push(k->hold, &(struct held_record){source, size, record}, a->ts->now)) {
		k->lost_here++;
		return;
	}
	k->read++;
	if (k->hold)
		k->waiting++;
	else
		pass_on(a, source, k, record, size);
}

size_t read_rings(struct traces *ts)
{
	size_t n = 0;

	for (size_t i = 0; i < ts->n_attachments; i++)
		n += gadget_read(ts->attachments[i]->gadget, 0, on_stream_record,
				 ts->attachments[i]);
	if (ts->merge)
		merge_release(ts->merge, ts->now);
	return n;
}

void read_table_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct attachment *a = ctx;
	const struct trace_source *s = &a->sources[source];
	struct track *k = track_of(a, s, record, size);

	if (s->n_texts && k->n_wanted)
		record = texts_made(a->ts, s, record, &size);
	k->read++;
	give(a, k, source, record, size, false);
}

/* ---- what was held --------------------------------------------------------------- */

struct release {
	struct attachment *attachment;
	struct track *track;
};

static void release(void *ctx, const struct held_record *r)
{
	const struct release *to = ctx;

	to->track->waiting--;
	pass_on(to->attachment, r->source, to->track, r->record, r->size);
}

void read_held(struct attachment *a, struct track *k)
{
	struct naming *naming = &a->ts->naming;
	struct hold *h = take(k->hold);
	uint64_t since = h ? hold_since(h) : 0, ns = since ? boot_now() - since : 0;

	if (!since) {
		hold_free(h);
		return;
	}
	naming->waited_for++;
	if (ns > naming->longest_ns)
		naming->longest_ns = ns;
	hold_release(h, release, &(struct release){a, k});
	hold_free(h);
}

static void give_row(void *ctx, const struct merge_row *r, bool late)
{
	const struct track *k = r->tag;
	struct row row = row_of(r->owner, k, r->record, r->size);
	struct account_entry *e = share_of(k, ctx);

	if (e)
		deliver(e, r->source, &row, late);
}

static void give_held(void *ctx, const struct held_record *r)
{
	struct account_entry *e = ctx;
	struct row row = row_of(e->trace->attachment, e->track, r->record, r->size);

	deliver(e, r->source, &row, false);
}

void read_waiting(struct trace *t)
{
	struct account_entry *e, *next;

	if (t->attachment->ts->merge)
		merge_each(t->attachment->ts->merge, t->attachment, give_row, t);
	for (e = TAILQ_FIRST(&t->account.entries); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->pending && follow_decide(e))
			hold_each(e->track->hold, give_held, e);
	}
}

/* ---- loss ------------------------------------------------------------------------ */

static void tell_loss(struct trace *t, struct container *c, struct loss loss)
{
	if (loss.count && t->reader.lost)
		t->reader.lost(t->reader.ctx, t, c, loss);
}

void read_loss_of(struct account_entry *e, struct gadget_counters now, bool last)
{
	tell_loss(e->trace, e->container,
		  last ? account_last_loss(e, now) : account_new_loss(e, now));
}

void read_nameless_loss(struct attachment *a, uint64_t n)
{
	for (size_t i = 0; n && i < a->n_tracers; i++) {
		account_lost_nameless(&a->tracers[i]->account, n);
		tell_loss(a->tracers[i], NULL, (struct loss){.count = n});
	}
}

static void read_misses(struct attachment *a)
{
	uint64_t misses = gadget_misses(a->gadget), n = misses - a->misses;

	a->misses = misses;
	read_nameless_loss(a, n);
}

void read_loss(struct attachment *a, bool last)
{
	read_misses(a);
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		struct track *k = track_at(a, slot);
		struct gadget_counters now = k ? track_counted(a, k) : (struct gadget_counters){0};
		struct account_entry *e, *first = k ? TAILQ_FIRST(&k->shares) : NULL;

		for (e = first; e; e = TAILQ_NEXT(e, of_track))
			read_loss_of(e, now, last);
	}
}
