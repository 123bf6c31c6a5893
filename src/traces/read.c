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

static inline struct account_entry *entry_of(struct trace *t, const struct trace_source *s,
					     const void *record, uint32_t size)
{
	uint64_t key = number_at(record, size, s->container_offset);

	return account_find(&t->account, key) ?: follow_unknown(t, key);
}

static void deliver(struct trace *t, unsigned int source, struct account_entry *e,
		    const void *record, uint32_t size, bool late)
{
	struct row row = {
		.part = {[PART_RECORD] = record, [PART_CONTAINER] = e->container},
		.size = {[PART_RECORD] = size,
			 [PART_CONTAINER] = e->container ? sizeof(*e->container) : 0},
		.container_version = e->container ? e->container->version : 0,
	};

	enum row_fate fate =
		e->wanted ? t->reader.row(t->reader.ctx, t, source, &row, late) : ROW_DISCARDED;

	e->delivered += fate == ROW_DELIVERED;
	e->discarded += fate == ROW_DISCARDED;
	e->lost_here += fate == ROW_LOST;
}

static bool is_merged(const struct traces *ts)
{
	return ts->merge && ts->n_streams > 1;
}

/* Into the sort window; what nobody wants is not held there. */
static void merge(struct trace *t, unsigned int source, struct account_entry *e, const void *record,
		  uint32_t size)
{
	const struct trace_source *s = &t->sources[source];
	struct merge_row row = {
		.owner = t,
		.tag = e,
		.source = source,
		.size = size,
		.record = record,
		.time = s->time_offset < 0 ? t->ts->now : number_at(record, size, s->time_offset),
	};

	if (!e->wanted) {
		e->discarded++;
		return;
	}
	if (row.time > t->ts->newest)
		t->ts->newest = boot_now(); /* it was made while we read */
	e->held++;
	merge_push(t->ts->merge, &row, t->ts->newest);
}

/* From the ring: what nobody can name yet waits for its container's name. */
static void on_stream_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct trace *t = ctx;
	const struct trace_source *s = &t->sources[source];
	struct account_entry *e = entry_of(t, s, record, size);

	/* Now, while the process may be there; what is held or recorded has the names. */
	if (s->n_stacks && (e->hold || e->wanted))
		record = stacks_as_texts(t->ts, s, record, &size);
	if (e->hold)
		e->lost_here += !hold_push(e->hold, &(struct held_record){source, size, record},
					   t->ts->now);
	else if (is_merged(t->ts))
		merge(t, source, e, record, size);
	else
		deliver(t, source, e, record, size, false);
}

/* From a table or a snapshot: they cannot wait, and go with what is known. */
static void on_table_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct trace *t = ctx;

	deliver(t, source, entry_of(t, &t->sources[source], record, size), record, size, false);
}

struct release {
	struct trace *trace;
	struct account_entry *entry;
};

static void release(void *ctx, const struct held_record *r)
{
	const struct release *to = ctx;

	if (is_merged(to->trace->ts))
		merge(to->trace, r->source, to->entry, r->record, r->size);
	else
		deliver(to->trace, r->source, to->entry, r->record, r->size, false);
}

void read_held(struct trace *t, struct account_entry *e)
{
	struct naming *naming = &t->ts->naming;
	struct hold *h = take(e->hold);
	uint64_t since = h ? hold_since(h) : 0, ns = since ? boot_now() - since : 0;

	if (!since) {
		hold_free(h);
		return;
	}
	naming->waited_for++;
	if (ns > naming->longest_ns)
		naming->longest_ns = ns;
	hold_release(h, release, &(struct release){t, e});
	hold_free(h);
}

void read_release(void *ctx, const struct merge_row *row, bool late)
{
	struct account_entry *e = row->tag;

	e->held--;
	deliver(row->owner, row->source, e, row->record, row->size, late);
}

void read_rings(struct traces *ts)
{
	for (size_t i = 0; i < ts->n_traces; i++)
		gadget_read(ts->traces[i]->gadget, 0, on_stream_record, ts->traces[i]);
	if (ts->merge)
		merge_release(ts->merge, ts->now);
}

void read_table(struct trace *t, unsigned int source)
{
	t->sources[source].taken = t->ts->now;
	/* Rows that a failure leaves out were counted in the kernel: in the end they are lost. */
	gadget_collect(t->gadget, source, on_table_record, t, NULL);
	if (t->reader.table_end)
		t->reader.table_end(t->reader.ctx, t, source);
}

int read_snapshot(struct trace *t, unsigned int source, struct err *err)
{
	int r = gadget_collect(t->gadget, source, on_table_record, t, err);

	if (r < 0)
		return r;
	if (t->reader.table_end)
		t->reader.table_end(t->reader.ctx, t, source);
	return 0;
}

void read_loss_of(struct trace *t, struct account_entry *e, bool last)
{
	struct gadget_counters kernel = gadget_counters(t->gadget, container_slot(e->key));
	uint64_t n = last ? account_last_loss(e, kernel) : account_new_loss(e, kernel);

	if (n && t->reader.lost)
		t->reader.lost(t->reader.ctx, t, e->container, n);
}

void read_loss(struct trace *t, bool last)
{
	uint64_t misses = gadget_misses(t->gadget), new_misses = misses - t->misses;

	t->misses = misses;
	account_lost_nameless(&t->account, new_misses);
	if (new_misses && t->reader.lost)
		t->reader.lost(t->reader.ctx, t, NULL, new_misses);
	for (uint32_t slot = 0; slot < t->account.n_slots; slot++) {
		struct account_entry *e = account_at(&t->account, slot);

		if (e)
			read_loss_of(t, e, last);
	}
}
