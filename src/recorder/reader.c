// SPDX-License-Identifier: Apache-2.0
/*
 * Reading record files, which may be cut short, corrupted or hostile. A chunk is believed after its
 * check sum was right, and each number in it only after it was compared with its bound. The index
 * is believed in one thing only: that a block whose entry says so need not be looked at.
 */
#include "recorder/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/gadget.h"

/* What a slice has, so that it takes some milliseconds at most. */
enum {
	SLICE_CHUNKS = 16,
	AHEAD_READ = 256, /* a chunk that is read, in entries of the index that are looked at */
	AHEAD_COST = 64 * AHEAD_READ,
};
enum { CHUNK_PASSED = 2 };

/* ---- sections -------------------------------------------------------------------- */

/* Unix time by this section's boot clock, within what that can say. */
static uint64_t boot_time(const struct clock_base *clock, int64_t unix_ns)
{
	int64_t boot_ns;

	if (__builtin_sub_overflow(unix_ns, clock->boot_to_real_ns, &boot_ns))
		return unix_ns < 0 ? 0 : UINT64_MAX;
	return boot_ns < 0 ? 0 : (uint64_t)boot_ns;
}

static void begin_section(struct record_reader *r)
{
	r->map.n = 0;
	r->ended = false;
	r->rows = r->now = 0;
	known_clear(&r->known);
	r->from = boot_time(r->clock, r->from_ns);
	r->to = boot_time(r->clock, r->to_ns);
	if (r->to_ns == INT64_MAX)
		r->to = UINT64_MAX;
}

static int read_clock(struct record_reader *r)
{
	if (r->in.head.length < sizeof(r->clock->boot_to_real_ns))
		return fault(r, r->in.start, "a clock of %u bytes", r->in.head.length);
	if (r->n_clocks == MAX_CLOCKS)
		return fault(r, r->in.start, "more than %d sections", MAX_CLOCKS);
	r->clock = xnew(struct clock_base);
	*grow(&r->clocks, &r->n_clocks, &r->room_clocks) = r->clock;
	memcpy(&r->clock->boot_to_real_ns, r->in.payload, sizeof(r->clock->boot_to_real_ns));
	begin_section(r);
	return 0;
}

static int read_source(struct record_reader *r)
{
	_cleanup_(schema_unrefp) struct schema *plain = NULL, *s = NULL;
	struct source_head head;
	struct err why = {0};
	uint64_t start = r->in.start;

	memcpy(&head, r->in.payload, sizeof(head));
	if (head.source != r->map.n || head.kind > SOURCE_SNAPSHOT)
		return fault(r, start, "data source %u of kind %u after %zu others", head.source,
			     head.kind, r->map.n);
	if (schema_from_json((const char *)r->in.content, r->in.length, &plain, &why) < 0 ||
	    /* The file names fields of the record only; what enriches it is this process's own. */
	    container_extend_schema(plain, &s, &why) < 0)
		return fault(r, start, "the schema of data source %u: %s", head.source, why.text);
	record_sources_join(&r->sources, &r->map, s, head.kind);
	if (r->sources.n > FILE_MAX_SOURCES)
		return fault(r, start, "more than %u data sources", FILE_MAX_SOURCES);
	return 0;
}

static int read_container(struct record_reader *r)
{
	const char *wrong;
	uint64_t key;

	memcpy(&key, r->in.payload, sizeof(key));
	wrong = known_describe(&r->known, key, (const char *)r->in.content, r->in.length);
	return wrong ? fault(r, r->in.start, "container 0x%" PRIx64 ": %s", key, wrong) : 0;
}

static int read_owner(struct record_reader *r)
{
	struct owner_head head;
	const char *wrong;

	memcpy(&head, r->in.payload, sizeof(head));
	wrong = known_owner(&r->known, &head, (const char *)r->in.content, r->in.length);
	return wrong ? fault(r, r->in.start, "the name of %" PRIu32 ": %s", head.id, wrong) : 0;
}

/* ---- life ------------------------------------------------------------------------ */

static void note_span(struct record_reader *r, const struct clock_base *clock,
		      const struct block_span *span)
{
	int64_t first, last;

	if (!span->last || span->last == UINT64_MAX)
		return;
	first = unix_time(clock, span->first ?: span->last);
	last = unix_time(clock, span->last);
	if (!r->has_span || first < r->span.first_ns)
		r->span.first_ns = first;
	if (!r->has_span || last > r->span.last_ns)
		r->span.last_ns = last;
	r->has_span = true;
}

static int look_at(struct record_reader *r, const struct index_entry *entry,
		   struct clock_base *clock)
{
	if (entry->type == CHUNK_ROWS)
		note_span(r, clock, &entry->span);
	if (entry->type != CHUNK_CLOCK && entry->type != CHUNK_SOURCE)
		return 0;
	if (chunk_seek(&r->in, entry->offset) || chunk_begin(&r->in) ||
	    r->in.head.type != entry->type || chunk_finish(&r->in))
		return -EBADMSG;
	if (entry->type == CHUNK_SOURCE)
		return read_source(r);
	if (r->in.head.length < sizeof(clock->boot_to_real_ns))
		return -EBADMSG;
	memcpy(&clock->boot_to_real_ns, r->in.payload, sizeof(clock->boot_to_real_ns));
	r->map.n = 0;
	return 0;
}

/*
 * The sources of all sections and the times, before any row: some of them. What is wrong in the
 * file shows when it is read. True: there is more.
 */
static bool look_ahead(struct record_reader *r)
{
	const uint64_t back = r->in.offset;
	int e = 0;

	for (int left = AHEAD_COST; !e && left > 0 && r->ahead < r->index.n; r->ahead++) {
		const struct index_entry *entry = &r->index.entries[r->ahead];

		left -= entry->type == CHUNK_ROWS ? 1 : AHEAD_READ;
		e = look_at(r, entry, &r->ahead_clock);
	}
	r->in.fault = (struct err){0};
	chunk_seek(&r->in, back);
	if (!e && r->ahead < r->index.n)
		return true;
	r->map.n = 0;
	return false;
}

bool record_reader_prepare(struct record_reader *r)
{
	if (r->preparing == READER_INDEX && !record_index_go_on(&r->index, &r->in))
		r->preparing = READER_AHEAD;
	else if (r->preparing == READER_AHEAD && !look_ahead(r))
		r->preparing = READER_READY;
	return r->preparing != READER_READY;
}

int record_reader_span(const struct record_reader *r, struct record_span *ret)
{
	if (!r->has_span)
		return -ENODATA;
	*ret = r->span;
	return 0;
}

static int get_first_clock(struct record_reader *r)
{
	int e = chunk_begin(&r->in);

	if (e < 0)
		return e;
	if (e || r->in.head.type != CHUNK_CLOCK)
		return fault(r, r->in.start, "the first chunk is not the clock");
	return chunk_finish(&r->in) ?: read_clock(r);
}

int record_reader_begin(int fd, struct record_reader **ret, struct err *err)
{
	struct record_reader *r = xnew(struct record_reader);
	int e;

	r->from_ns = INT64_MIN;
	r->to_ns = INT64_MAX;
	r->sliced = true;
	e = chunk_input_open(&r->in, fd) ?: get_first_clock(r);
	if (e < 0) {
		if (err)
			*err = r->in.fault;
		record_reader_free(r);
		return e;
	}
	r->ahead_clock = *r->clock;
	if (r->in.seekable && r->in.version > 1)
		r->preparing = record_index_begin(&r->index, &r->in) ? READER_INDEX : READER_AHEAD;
	*ret = r;
	return 0;
}

int record_reader_open(int fd, struct record_reader **ret, struct err *err)
{
	int e = record_reader_begin(fd, ret, err);

	if (e)
		return e;
	while (record_reader_prepare(*ret))
		;
	(*ret)->sliced = false;
	return 0;
}

struct record_reader *record_reader_free(struct record_reader *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_clocks; i++)
		free(r->clocks[i]);
	free(r->clocks);
	free(r->map.numbers);
	record_sources_done(&r->sources);
	known_done(&r->known);
	record_index_done(&r->index);
	chunk_input_done(&r->in);
	free(r);
	return NULL;
}

const struct clock_base *record_reader_clock(const struct record_reader *r)
{
	return r->clock;
}

void record_reader_select(struct record_reader *r, const struct record_selection *s)
{
	r->from_ns = s->from_ns ?: INT64_MIN;
	r->to_ns = s->to_ns ?: INT64_MAX;
	r->bounded = s->from_ns || s->to_ns;
	r->selective = r->bounded || s->wanted;
	r->known.wanted = s->wanted;
	r->known.ctx = s->ctx;
	begin_section(r);
}

/* ---- chunks ---------------------------------------------------------------------- */

static bool span_wanted(const struct record_reader *r, const struct block_span *span)
{
	return span->last >= r->from && span->first <= r->to &&
	       (span->slots & r->known.wanted_slots);
}

static void pass_block(struct record_reader *r, const struct block_span *span, uint32_t rows)
{
	r->rows += rows;
	if (span->last != UINT64_MAX && span->last > r->now)
		r->now = span->last;
}

static bool skippable(const struct record_reader *r, const struct index_entry *entry)
{
	return entry->type == CHUNK_ROWS && !span_wanted(r, &entry->span);
}

/* Goes to the last of the blocks that come next and are not wanted: its own head is asked again. */
static int jump(struct record_reader *r)
{
	const struct record_index *x = &r->index;
	size_t i = r->next_entry;

	while (i < x->n && x->entries[i].offset < r->in.offset)
		i++;
	r->next_entry = i;
	if (i == x->n || x->entries[i].offset != r->in.offset)
		return 0;
	for (; i + 1 < x->n && skippable(r, &x->entries[i]) && skippable(r, &x->entries[i + 1]);
	     i++)
		pass_block(r, &x->entries[i].span, x->entries[i].rows);
	return i == r->next_entry ? 0 : chunk_seek(&r->in, x->entries[i].offset);
}

/* 1: the block is to be read; 0: it was skipped. */
static int begin_block(struct record_reader *r)
{
	struct block_head head = {.span.slots = ~0ull, .span.last = UINT64_MAX};

	if (r->in.version > 1) {
		if (chunk_peek(&r->in, sizeof(head)))
			return r->in.fault.code;
		memcpy(&head, r->in.payload, sizeof(head));
		if (r->selective && !span_wanted(r, &head.span)) {
			pass_block(r, &head.span, head.rows);
			return chunk_skip(&r->in);
		}
	}
	if (chunk_finish(&r->in))
		return r->in.fault.code;
	r->at = 0;
	r->rows_end = r->in.length;
	if (r->in.version > 1)
		r->rows_after = r->rows + head.rows;
	return 1;
}

/* The next chunk, finished. 1: there is none; CHUNK_PASSED: it is not wanted. */
static int next_chunk(struct record_reader *r)
{
	int e;

	if (r->rows_after && r->rows_after != r->rows)
		return fault(r, r->in.start, "a block of rows has %" PRId64 " more than it says",
			     (int64_t)(r->rows - r->rows_after));
	r->at = r->rows_end = r->rows_after = 0;
	e = r->selective ? jump(r) : 0;
	e = e ?: chunk_begin(&r->in);
	if (e)
		return e;
	if (r->in.head.type != CHUNK_ROWS)
		return chunk_finish(&r->in);
	e = begin_block(r);
	return e > 0 ? 0 : e ?: CHUNK_PASSED;
}

/* ---- events --------------------------------------------------------------- */

static int read_end(struct record_reader *r)
{
	size_t size = r->in.version > 1 ? sizeof(struct end_chunk) : sizeof(struct end_chunk_1);
	struct end_chunk end;

	if (r->in.head.length != size)
		return fault(r, r->in.start, "an end of %u bytes", r->in.head.length);
	memcpy(&end, r->in.payload, size);
	if (end.rows != r->rows)
		return fault(r, r->in.start, "the end says %" PRIu64 " rows; %" PRIu64 " came",
			     end.rows, r->rows);
	r->ended = true;
	return 0;
}

/* > 0: an event; 0: the chunk gave none. */
static int read_chunk(struct record_reader *r, struct record_event *ev)
{
	uint32_t type = r->in.head.type;

	if (r->ended && (r->in.version == 1 || type != CHUNK_CLOCK))
		return fault(r, r->in.start, "bytes after the end");
	if (r->in.version == 1 && type > CHUNK_END)
		return 0;
	switch (type) {
	case CHUNK_CLOCK:
		return r->ended ? read_clock(r) : fault(r, r->in.start, "a second clock");
	case CHUNK_SOURCE:
		return read_source(r);
	case CHUNK_CONTAINER:
		return read_container(r);
	case CHUNK_OWNER:
		return read_owner(r);
	case CHUNK_TABLE_END:
		return item_table_end(r, ev);
	case CHUNK_LOSS:
		return item_loss(r, ev);
	case CHUNK_TOTALS:
		return item_totals(r, ev);
	case CHUNK_RING:
		return item_ring(r, ev);
	case CHUNK_END:
		return read_end(r);
	default: /* rows, an index; of a later version that did not change what we know */
		return 0;
	}
}

static int tell_source(struct record_reader *r, struct record_event *ev)
{
	const struct record_source *s = &r->sources.items[r->n_told];

	ev->source = (unsigned int)r->n_told++;
	ev->schema = s->schema;
	ev->kind = s->kind;
	return RECORD_SOURCE;
}

/* > 0: an event; 0: none yet, or RECORD_END at a proper end, which *ret_end tells. */
static int go_on(struct record_reader *r, struct record_event *ev, bool *ret_end)
{
	int e = next_chunk(r);

	*ret_end = e == 1 && r->ended;
	if (*ret_end || e == CHUNK_PASSED)
		return 0;
	if (e == 1)
		return fault(r, r->in.start, "cut short: the file has no end chunk");
	return e ?: read_chunk(r, ev);
}

int record_reader_next(struct record_reader *r, struct record_event *ret, struct err *err)
{
	int e = r->in.fault.code;
	unsigned int chunks = 0;
	bool end = false;

	while (!e && !end) {
		if (r->at < r->rows_end) /* the many */
			e = item_row(r, ret);
		else if (r->n_told < r->sources.n)
			return tell_source(r, ret);
		else if (r->sliced && chunks++ == SLICE_CHUNKS)
			return RECORD_LATER;
		else
			e = go_on(r, ret, &end);
	}
	if (e < 0 && err)
		*err = r->in.fault;
	return e;
}
