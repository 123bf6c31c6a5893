// SPDX-License-Identifier: Apache-2.0
/* Rows, loss and what else a record file's chunks hold, as events. */
#include "recorder/reader.h"

#include <inttypes.h>
#include <string.h>

#include "gadget/gadget.h"

/* ---- rows ------------------------------------------------------------------------ */

/* Where a row is: packed ones have no place of their own. */
static uint64_t row_offset(const struct record_reader *r)
{
	return r->in.version == 1 ? r->in.start + sizeof(r->in.head) + r->at : r->in.start;
}

/* Returns its bytes; 0: it is not whole. */
static inline size_t row_head_at(const struct record_reader *r, struct row_head *ret)
{
	const unsigned char *at = r->in.content + r->at;
	size_t left = r->rows_end - r->at;
	struct row_head_1 old;

	if (r->in.version > 1) {
		if (left < sizeof(*ret))
			return 0;
		memcpy(ret, at, sizeof(*ret));
		return sizeof(*ret);
	}
	if (left < sizeof(old))
		return 0;
	memcpy(&old, at, sizeof(old));
	*ret = (struct row_head){
		.size = old.size,
		.source = (uint16_t)(old.source < UINT16_MAX ? old.source : UINT16_MAX),
		.key = old.key,
	};
	return sizeof(old);
}

/* A table's rows have the time of its end, which is judged there. */
static inline bool time_wanted(const struct record_reader *r, const struct record_source *s,
			       uint64_t boot_ns)
{
	return !r->bounded || s->kind != SOURCE_TRACER || (boot_ns >= r->from && boot_ns <= r->to);
}

/* 0: it is not wanted. */
static inline int give_row(struct record_reader *r, const struct row_head *head,
			   const unsigned char *record, struct record_event *ev)
{
	const struct known_container *known = NULL;
	const struct record_source *source;
	struct container *c;
	uint64_t boot_ns;

	if (head->source >= r->map.n)
		return fault(r, row_offset(r), "a row of data source %u, which was not described",
			     head->source);
	if (head->key) {
		known = known_find(&r->known, head->key);
		if (!known)
			return fault(r, row_offset(r),
				     "a row of container 0x%" PRIx64 ", which was not described",
				     head->key);
	}
	c = known ? known->container : NULL;
	ev->source = r->map.numbers[head->source];
	source = &r->sources.items[ev->source];
	ev->row = container_row(c, record, head->size, r->known.host);
	ev->row.clock = r->clock;
	boot_ns = row_time(source->schema, &ev->row);
	if (boot_ns && source->kind == SOURCE_TRACER)
		r->now = boot_ns;
	if (!time_wanted(r, source, r->now) || !(known ? known->wanted : r->known.none_wanted))
		return 0;
	ev->container = c;
	ev->sequence = head->sequence;
	ev->late = head->flags & ROW_LATE;
	ev->time_ns = unix_time(r->clock, r->now);
	return RECORD_ROW;
}

int item_row(struct record_reader *r, struct record_event *ev)
{
	size_t left = r->rows_end - r->at, head_bytes;
	const unsigned char *record;
	struct row_head head;
	int e;

	head_bytes = row_head_at(r, &head);
	if (!head_bytes)
		return fault(r, row_offset(r), "%zu bytes of a row's head", left);
	if (head.size > ROW_MAX_BYTES || row_padded(head.size) > left - head_bytes)
		return fault(r, row_offset(r), "a row says it has %u bytes; its block has %zu",
			     head.size, left - head_bytes);
	record = r->in.content + r->at + head_bytes;
	e = give_row(r, &head, record, ev);
	r->at += head_bytes + row_padded(head.size);
	r->rows++;
	return e;
}

/* ---- all else -------------------------------------------------------------------- */

/* A chunk of fixed size. */
static int read_fixed(struct record_reader *r, void *to, size_t size, struct record_event *ev)
{
	if (r->in.head.length != size)
		return fault(r, r->in.start, "a chunk of type %u has %u bytes instead of %zu",
			     r->in.head.type, r->in.head.length, size);
	memcpy(to, r->in.payload, size);
	ev->time_ns = unix_time(r->clock, r->now);
	return 0;
}

/* One that begins with a source. */
static int read_of_source(struct record_reader *r, void *to, size_t size, struct record_event *ev)
{
	int e = read_fixed(r, to, size, ev);
	struct source_head head;

	if (e)
		return e;
	memcpy(&head, to, sizeof(head));
	if (head.source >= r->map.n)
		return fault(r, r->in.start,
			     "a chunk of type %u names data source %u, which was not described",
			     r->in.head.type, head.source);
	ev->source = r->map.numbers[head.source];
	return 0;
}

/* The container that such a chunk is about. 0: it is not wanted. */
static int read_about(struct record_reader *r, uint64_t key, int item, struct record_event *ev)
{
	const struct known_container *known = known_find(&r->known, key);

	if (key && !known)
		return fault(r, r->in.start,
			     "%s of container 0x%" PRIx64 ", which was not described",
			     item == RECORD_LOSS ? "loss" : "the ring", key);
	ev->container = key ? known->container : NULL;
	if (r->bounded && (r->now < r->from || r->now > r->to))
		return 0;
	return key && !known->wanted ? 0 : item;
}

int item_table_end(struct record_reader *r, struct record_event *ev)
{
	struct table_end_chunk end;
	int e = read_of_source(r, &end, sizeof(end), ev);

	if (e < 0)
		return e;
	r->now = ev->boot_ns = end.boot_ns;
	ev->outside = r->bounded && (end.boot_ns < r->from || end.boot_ns > r->to);
	ev->time_ns = unix_time(r->clock, end.boot_ns);
	return RECORD_TABLE_END;
}

int item_loss(struct record_reader *r, struct record_event *ev)
{
	struct loss_chunk loss;
	int e = read_of_source(r, &loss, sizeof(loss), ev);

	if (e < 0)
		return e;
	ev->count = loss.count;
	return read_about(r, loss.key, RECORD_LOSS, ev);
}

int item_ring(struct record_reader *r, struct record_event *ev)
{
	struct ring_chunk ring;
	int e = read_fixed(r, &ring, sizeof(ring), ev);

	if (e < 0)
		return e;
	ev->ring = (struct record_ring){ring.last, ring.kept, ring.overwritten, ring.lost};
	return read_about(r, ring.key, RECORD_RING, ev);
}

int item_totals(struct record_reader *r, struct record_event *ev)
{
	struct totals_chunk n;
	int e = read_of_source(r, &n, sizeof(n), ev);

	if (e < 0)
		return e;
	ev->totals = (struct record_totals){n.seen, n.delivered, n.discarded, n.lost};
	return RECORD_TOTALS;
}
