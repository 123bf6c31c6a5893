// SPDX-License-Identifier: Apache-2.0
/*
 * Writing record files. Rows are gathered in blocks of some 64 KiB; everything else first puts
 * the block out, so that the file keeps the order of calls. A container that is new goes before the
 * block instead, where none of its rows can be.
 */
#include "recorder/file.h"

#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/container_json.h"
#include "gadget/gadget.h"
#include "recorder/append.h"
#include "recorder/output.h"
#include "recorder/owners.h"

/* The container that was written last for a slot. */
struct written {
	uint64_t key, version;
};

struct written_source {
	struct schema *schema;
	bool table;
	bool open;		     /* rows of a table came, and not its end */
	const struct field **owners; /* its users and groups */
	size_t n_owners, room_owners;
};

struct record_writer {
	struct chunk_output out;
	struct clock_base clock; /* the section's */
	struct written_source *sources;
	size_t n_sources, room_sources;
	unsigned int n_open;
	struct written *known; /* by slot */
	size_t n_known;
	struct told_owners told;
	uint64_t now;		/* time of the last row that had one */
	struct block_head head; /* of the block's rows */
	bool timed;		/* one of them has a time */
	size_t used;		/* bytes of rows in `block` */
	unsigned char block[BLOCK_BYTES + sizeof(struct row_head)] __attribute__((aligned(8)));
};

_Static_assert(ROW_MAX_BYTES <= BLOCK_BYTES, "an empty block has room for any row");

/* ---- blocks ---------------------------------------------------------------------- */

static void extend_span(struct record_writer *w, uint64_t boot_ns)
{
	struct block_span *span = &w->head.span;

	if (!w->timed || boot_ns < span->first)
		span->first = boot_ns;
	if (!w->timed || boot_ns > span->last)
		span->last = boot_ns;
	w->timed = true;
}

/* A table's rows have its end's time; where that is not known yet, nobody may skip them. */
static void close_span(struct record_writer *w)
{
	if (w->timed && !w->n_open)
		return;
	w->head.span.first = 0;
	w->head.span.last = UINT64_MAX;
}

int record_writer_flush(struct record_writer *w)
{
	if (!w->used)
		return w->out.error;
	close_span(w);
	output_rows(&w->out, &w->head, w->block, w->used);
	w->used = 0;
	w->timed = false;
	w->head = (struct block_head){0};
	return w->out.error;
}

/* A chunk of a fixed part and a text; rows before it go first. */
static int put_other(struct record_writer *w, enum chunk_type type, const void *fixed, size_t n,
		     const struct buf *text)
{
	if (text && text->failed)
		w->out.error = w->out.error ?: -E2BIG;
	record_writer_flush(w);
	return output_chunk(&w->out, type, fixed, n, text ? text->data : NULL,
			    text ? text->len : 0);
}

/* ---- sections -------------------------------------------------------------------- */

static void add_text(struct buf *json, const char *name, const char *value)
{
	buf_printf(json, ",\"%s\":", name);
	json_quote(json, value, strlen(value));
}

static int put_clock(struct record_writer *w, const struct clock_base *clock)
{
	_cleanup_(buf_done) struct buf json = {.max = PACKED_MAX_BYTES};
	struct utsname host = {0};
	struct timespec now;

	uname(&host);
	clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(&json, "{\"time\":%llu",
		   (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec);
	add_text(&json, "host", host.nodename);
	add_text(&json, "kernel", host.release);
	add_text(&json, "machine", host.machine);
	add_text(&json, "ig", IG_VERSION);
	buf_char(&json, '}');
	return put_other(w, CHUNK_CLOCK, &clock->boot_to_real_ns, sizeof(clock->boot_to_real_ns),
			 &json);
}

static void free_writer(struct record_writer *w)
{
	for (size_t i = 0; i < w->n_sources; i++) {
		schema_unref(w->sources[i].schema);
		free(w->sources[i].owners);
	}
	told_owners_done(&w->told);
	free(w->sources);
	free(w->known);
	free(w);
}

/* prepare: puts the output where the section begins. */
static int begin(int fd, const struct clock_base *clock,
		 int (*prepare)(struct chunk_output *o, uint64_t *ret_dropped, struct err *err),
		 struct record_writer **ret, uint64_t *ret_dropped, struct err *err)
{
	struct record_writer *w = malloc(sizeof(*w));
	int r;

	if (!w) {
		close(fd);
		return err_set(err, -ENOMEM, "no memory for a record file's block");
	}
	memset(w, 0, offsetof(struct record_writer, block));
	w->clock = *clock;
	chunk_output_init(&w->out, fd);
	r = w->out.error ? err_set(err, w->out.error, "no memory to pack a record file's blocks")
			 : prepare(&w->out, ret_dropped, err);
	if (!r && put_clock(w, clock))
		r = err_set(err, w->out.error, "writing the record file: %s",
			    strerror(-w->out.error));
	if (r) {
		chunk_output_done(&w->out);
		free_writer(w);
		return r;
	}
	*ret = w;
	return 0;
}

static int prepare_new(struct chunk_output *o, uint64_t *ret_dropped, struct err *err)
{
	flock(o->fd, LOCK_EX | LOCK_NB); /* whoever wants to append sees that it is written */
	return output_file_head(o, err);
}

int record_writer_new(int fd, const struct clock_base *clock, struct record_writer **ret,
		      struct err *err)
{
	return begin(fd, clock, prepare_new, ret, NULL, err);
}

int record_writer_append(int fd, const struct clock_base *clock, struct record_writer **ret,
			 uint64_t *ret_dropped, struct err *err)
{
	return begin(fd, clock, prepare_append, ret, ret_dropped, err);
}

static void find_owners(struct written_source *s)
{
	for (size_t i = 0; i < s->schema->n_fields; i++) {
		const struct field *f = &s->schema->fields[i];

		if (f->part == PART_RECORD && field_owner(f) != OWNER_NONE)
			*grow(&s->owners, &s->n_owners, &s->room_owners) = f;
	}
}

int record_writer_source(struct record_writer *w, const struct schema *s, unsigned int kind,
			 unsigned int *ret_source, struct err *err)
{
	struct source_head head = {(uint32_t)w->n_sources, kind};
	struct buf json;
	int r;

	if (w->n_sources == FILE_MAX_SOURCES)
		return err_set(err, -ENOSPC, "a record file holds at most %u data sources",
			       FILE_MAX_SOURCES);
	buf_init(&json, PACKED_MAX_BYTES);
	schema_to_json(s, &json);
	r = put_other(w, CHUNK_SOURCE, &head, sizeof(head), &json);
	buf_done(&json);
	if (r < 0)
		return err_set(err, r, "writing the record file: %s", strerror(-r));
	*ret_source = head.source;
	*grow(&w->sources, &w->n_sources, &w->room_sources) = (struct written_source){
		.schema = schema_ref((struct schema *)s), .table = kind != SOURCE_TRACER};
	find_owners(&w->sources[head.source]);
	return 0;
}

/* ---- rows ------------------------------------------------------------------------ */

/* What to add to a reading of the row's boot clock to make it one of the section's. */
static inline int64_t shift_of(const struct record_writer *w, const struct row *row)
{
	return row->clock ? row->clock->boot_to_real_ns - w->clock.boot_to_real_ns : 0;
}

/* 0 is no time. */
static inline uint64_t shifted(uint64_t boot_ns, int64_t by)
{
	return boot_ns ? boot_ns + (uint64_t)by : 0;
}

static void put_container(struct record_writer *w, const struct container *c, int64_t shift)
{
	_cleanup_(buf_done) struct buf json = {.max = PACKED_MAX_BYTES};
	uint32_t slot = container_slot(c->key);
	struct container here = *c; /* its texts stay c's */

	if (slot >= MAX_SLOTS) {
		w->out.error = w->out.error ?: -EINVAL;
		return;
	}
	grow_to(&w->known, &w->n_known, slot + 1u);
	w->known[slot] = (struct written){c->key, c->version};
	if (w->head.span.slots & slot_bit(c->key)) /* rows of who had the slot, or another name */
		record_writer_flush(w);
	here.started_boot_ns = shifted(c->started_boot_ns, shift);
	if (here.started_boot_ns > INT64_MAX) /* before the boot that the section's clock is of */
		here.started_boot_ns = 0;
	container_to_json(&here, CONTAINER_ALL, &json);
	if (json.failed)
		w->out.error = w->out.error ?: -E2BIG;
	output_chunk(&w->out, CHUNK_CONTAINER, &c->key, sizeof(c->key), json.data, json.len);
}

/* The key that stands for c in the file, after c was described there as it is now. */
static inline uint64_t container_known(struct record_writer *w, const struct container *c,
				       int64_t shift)
{
	uint32_t slot;

	if (!c || !c->key)
		return 0;
	slot = container_slot(c->key);
	if (slot >= w->n_known || w->known[slot].key != c->key ||
	    w->known[slot].version != c->version)
		put_container(w, c, shift);
	return c->key;
}

/* The names of the row's users and groups go before it, where they were not told yet. */
static inline void put_owners(struct record_writer *w, const struct written_source *s, uint64_t key,
			      const struct row *row)
{
	for (size_t i = 0; i < s->n_owners; i++) {
		struct owner_head head = {key, 0, field_owner(s->owners[i])};
		const char *name = row_owner(row, s->owners[i], &head.id);
		enum told told = name ? told_owner(&w->told, key, head.kind, head.id, name) : TOLD;

		if (told == TOLD_OTHERWISE) /* rows before it have the old name */
			record_writer_flush(w);
		if (told != TOLD)
			output_chunk(&w->out, CHUNK_OWNER, &head, sizeof(head), name, strlen(name));
	}
}

/* Rows of a stream that have no time have that of the row before. */
static inline void note_time(struct record_writer *w, struct written_source *s,
			     const struct row *row, int64_t shift)
{
	uint64_t boot_ns;

	if (s->table) {
		w->n_open += !s->open;
		s->open = true;
		return;
	}
	boot_ns = shifted(row_time(s->schema, row), shift);
	if (boot_ns)
		w->now = boot_ns;
	extend_span(w, w->now);
}

int record_writer_row_as(struct record_writer *w, unsigned int source, const struct row *row,
			 uint64_t sequence, bool late)
{
	uint32_t size = row->size[PART_RECORD];
	int64_t shift = shift_of(w, row);
	struct row_head head = {.size = size,
				.source = (uint16_t)source,
				.flags = late ? ROW_LATE : 0,
				.sequence = sequence};
	unsigned char *to;

	if (source >= w->n_sources || size > ROW_MAX_BYTES)
		w->out.error = w->out.error ?: -EINVAL;
	head.key = container_known(w, row->part[PART_CONTAINER], shift);
	if (w->out.error)
		return w->out.error;
	put_owners(w, &w->sources[source], head.key, row);
	if (w->used + sizeof(head) + row_padded(size) > sizeof(w->block) && record_writer_flush(w))
		return w->out.error;
	to = w->block + w->used;
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), row->part[PART_RECORD], size);
	memset(to + sizeof(head) + size, 0, row_padded(size) - size);
	if (shift)
		schema_shift_times(w->sources[source].schema, to + sizeof(head), size, shift);
	w->used += sizeof(head) + row_padded(size);
	w->head.rows++;
	w->head.span.slots |= slot_bit(head.key);
	note_time(w, &w->sources[source], row, shift);
	return 0;
}

int record_writer_row(struct record_writer *w, unsigned int source, const struct row *row)
{
	return record_writer_row_as(w, source, row, 0, false);
}

/* ---- all else -------------------------------------------------------------------- */

int record_writer_table_end(struct record_writer *w, unsigned int source, uint64_t boot_ns)
{
	struct table_end_chunk end = {{source, 0}, boot_ns};

	if (source < w->n_sources && w->sources[source].open) {
		w->sources[source].open = false;
		w->n_open--;
		extend_span(w, boot_ns);
	}
	w->now = boot_ns;
	return put_other(w, CHUNK_TABLE_END, &end, sizeof(end), NULL);
}

int record_writer_loss(struct record_writer *w, unsigned int source, const struct container *c,
		       uint64_t count)
{
	struct loss_chunk loss = {{source, 0}, container_known(w, c, 0), count};

	return put_other(w, CHUNK_LOSS, &loss, sizeof(loss), NULL);
}

int record_writer_ring(struct record_writer *w, const struct container *c, struct record_ring n)
{
	struct ring_chunk ring = {container_known(w, c, 0), n.last, n.kept, n.overwritten, n.lost};

	return put_other(w, CHUNK_RING, &ring, sizeof(ring), NULL);
}

int record_writer_totals(struct record_writer *w, unsigned int source, struct record_totals n)
{
	struct totals_chunk totals = {{source, 0}, n.seen, n.delivered, n.discarded, n.lost};

	return put_other(w, CHUNK_TOTALS, &totals, sizeof(totals), NULL);
}

bool record_writer_waiting(const struct record_writer *w)
{
	return w->used > 0;
}

bool record_writer_amid_table(const struct record_writer *w)
{
	return w->n_open > 0;
}

uint64_t record_writer_bytes(const struct record_writer *w)
{
	return w->out.offset + output_rows_bytes(w->used) + output_end_bytes(&w->out);
}

int record_writer_close(struct record_writer *w, struct err *err)
{
	int r;

	if (!w)
		return 0;
	record_writer_flush(w);
	output_end(&w->out);
	r = chunk_output_done(&w->out);
	free_writer(w);
	return r < 0 ? err_set(err, r, "writing the record file: %s", strerror(-r)) : 0;
}
