// SPDX-License-Identifier: Apache-2.0
/*
 * Rows as GadgetEvents. A row's payloads are the record, then those of its container, then the
 * readable ones of the record, then names of users and groups; the container's are kept packed,
 * since most rows are of few containers. Buffers are kept as well: once they have grown, a row
 * allocates nothing.
 */
#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "containers/container_json.h"
#include "wire/encoder.h"
#include "wire/pb.h"

enum {
	CONTAINER_SLOTS = 256,
	MAX_ELEMENT = 2 << 20, /* a row */
	MAX_TEXT = 1 << 18,    /* a container as JSON, and other texts that are made */
	/* Messages that other clients' libraries take, and ours. */
	MAX_TABLE = (4 << 20) - 4096,
	MAX_COMPACT_TABLE = MAX_GRPC_MESSAGE_BYTES - 4096,
};

struct packed_containers {
	struct packed_container {
		uint64_t version; /* 0: not known */
		struct buf bytes;
	} slots[CONTAINER_SLOTS];
	struct packed_container unversioned;
};

static struct packed_containers *containers_new(void)
{
	struct packed_containers *c = xnew(struct packed_containers);

	for (size_t i = 0; i < CONTAINER_SLOTS; i++)
		buf_init(&c->slots[i].bytes, MAX_ELEMENT);
	buf_init(&c->unversioned.bytes, MAX_ELEMENT);
	return c;
}

static void containers_free(struct packed_containers *c)
{
	for (size_t i = 0; i < CONTAINER_SLOTS; i++)
		buf_done(&c->slots[i].bytes);
	buf_done(&c->unversioned.bytes);
	free(c);
}

struct wire_source *wire_source_new(unsigned int id, const struct gadget_source *source,
				    bool compact, const struct clock_base *clock)
{
	struct wire_source *s = xnew(struct wire_source);

	s->id = id;
	s->kind = source->kind;
	s->name = xstrdup(source->name);
	s->sort = xstrdup(source->sort);
	s->schema = schema_ref(source->schema);
	s->compact = compact;
	s->clock = *clock;
	s->containers = containers_new();
	buf_init(&s->element, MAX_ELEMENT);
	buf_init(&s->text, MAX_TEXT);
	buf_init(&s->table, compact ? MAX_COMPACT_TABLE : MAX_TABLE);
	wire_layout(s);
	return s;
}

struct wire_source *wire_source_free(struct wire_source *s)
{
	if (!s)
		return NULL;
	containers_free(s->containers);
	buf_done(&s->element);
	buf_done(&s->text);
	buf_done(&s->table);
	schema_unref(s->schema);
	free(s->name);
	free(s->sort);
	free(s->fields);
	free(s->owners);
	free(s->payloads);
	free(s);
	return NULL;
}

/* ---- payloads ------------------------------------------------------------------------------ */

/* Clients want all bytes of a number, also of one that is not there. */
static void add_number(const struct field *f, const struct row *row, struct buf *out)
{
	static const char none[8];
	const char *part = row->part[f->part];

	pb_add_bytes(out, ELEMENT_PAYLOAD, part && row_has(row, f) ? part + f->offset : none,
		     f->size);
}

static void add_text(struct wire_source *s, const struct field *f, const struct row *row,
		     struct buf *out)
{
	const char *bytes = NULL;
	bool truncated;
	int64_t number;
	size_t len = 0;

	if (f->kind == KIND_TEXT || f->kind == KIND_CSTR) {
		row_text(row, f, &bytes, &len, &truncated);
		pb_add_bytes(out, ELEMENT_PAYLOAD, bytes, len);
		return;
	}
	buf_clear(&s->text);
	if (!(f->flags & FIELD_SKIP_EMPTY && row_number(row, f, &number) && !number))
		f->format->text(f, row, &s->clock, &s->text);
	pb_add_bytes(out, ELEMENT_PAYLOAD, s->text.data, s->text.len);
}

static void add_payloads(struct wire_source *s, size_t from, size_t to, const struct row *row,
			 struct buf *out)
{
	for (size_t i = from; i < to; i++) {
		const struct wire_payload *p = &s->payloads[i];

		if (p->number)
			add_number(p->field, row, out);
		else
			add_text(s, p->field, row, out);
	}
}

/* Members are read without looking: a record that is too short gets zeroes behind it. */
static void add_record(struct wire_source *s, const struct row *row, struct buf *out)
{
	uint32_t size = row->part[PART_RECORD] ? row->size[PART_RECORD] : 0;
	uint32_t missing = 0;

	if (!s->compact && size < s->schema->record_size)
		missing = s->schema->record_size - size;
	if (!buf_reserve(out, 1 + PB_VARINT_MAX + (size_t)size + missing))
		return;
	pb_add_head(out, ELEMENT_PAYLOAD, (size_t)size + missing);
	buf_add(out, row->part[PART_RECORD], size);
	memset(out->data + out->len, 0, missing);
	out->len += missing;
}

/* Its key and its JSON; empty where there is none, or names too long to be any. */
static void add_whole_container(struct wire_source *s, const struct row *row, struct buf *out)
{
	const struct container *c = row->part[PART_CONTAINER];

	buf_clear(&s->text);
	if (c) {
		buf_add(&s->text, &c->key, sizeof(c->key));
		container_to_json(c, CONTAINER_SHOWN, &s->text);
	}
	pb_add_bytes(out, ELEMENT_PAYLOAD, s->text.data, s->text.failed ? 0 : s->text.len);
}

/* The container's payloads, packed or as they were. */
static const struct buf *packed_container(struct wire_source *s, const struct row *row)
{
	uint64_t version = row->part[PART_CONTAINER] ? row->container_version : 0;
	struct packed_container *c = version ? &s->containers->slots[version % CONTAINER_SLOTS]
					     : &s->containers->unversioned;

	if (version && c->version == version)
		return &c->bytes;
	c->version = version;
	buf_clear(&c->bytes);
	if (s->compact)
		add_whole_container(s, row, &c->bytes);
	else
		add_payloads(s, 0, s->n_container_payloads, row, &c->bytes);
	return &c->bytes;
}

/* As few as the row needs: a container's files would be some hundred times as long. */
static void add_owners(struct wire_source *s, const struct row *row, struct buf *out)
{
	uint32_t id;

	buf_clear(&s->text);
	for (size_t i = 0; i < s->n_owners; i++) {
		buf_str(&s->text, row_owner(row, s->owners[i], &id));
		buf_char(&s->text, '\0');
	}
	pb_add_bytes(out, ELEMENT_PAYLOAD, s->text.data, s->text.len);
}

/* False where a row is too large; then it is left out. */
static bool make_element(struct wire_source *s, const struct row *row)
{
	struct buf *out = &s->element;

	buf_clear(out);
	add_record(s, row, out);
	if (s->enriched) {
		const struct buf *container = packed_container(s, row);

		out->failed = out->failed || container->failed;
		buf_add(out, container->data, container->len);
	}
	add_payloads(s, s->n_container_payloads, s->n_payloads, row, out);
	if (s->n_owners)
		add_owners(s, row, out);
	return !out->failed;
}

/* ---- events -------------------------------------------------------------------------------- */

/* The event's head up to the data of `len` bytes, all that follows its seq; false: no room. */
static bool start_event(const struct wire_source *s, uint32_t seq, size_t len, struct buf *out)
{
	size_t data = pb_number_size(seq) + len;

	if (!buf_reserve(out, data + 64))
		return false;
	pb_add_number(out, EVENT_SEQ, seq);
	pb_add_number(out, EVENT_SOURCE, s->id);
	pb_add_head(out, EVENT_PAYLOAD, data);
	pb_add_number(out, DATA_SEQ, seq);
	return true;
}

bool wire_row_pack(struct wire_source *s, const struct row *row, uint32_t seq, struct buf *out)
{
	if (!make_element(s, row) || !start_event(s, seq, pb_bytes_size(s->element.len), out))
		return false;
	pb_add_bytes(out, DATA_ELEMENT, s->element.data, s->element.len);
	return true;
}

bool wire_table_add(struct wire_source *s, const struct row *row)
{
	bool good = make_element(s, row);

	if (good)
		pb_add_bytes(&s->table, DATA_ELEMENT, s->element.data, s->element.len);
	good = good && !s->table.failed;
	s->table.failed = false;
	return good;
}

bool wire_table_pack(struct wire_source *s, uint32_t seq, struct buf *out)
{
	bool good = start_event(s, seq, s->table.len, out);

	if (good)
		buf_add(out, s->table.data, s->table.len);
	buf_clear(&s->table);
	return good;
}

void wire_table_drop(struct wire_source *s)
{
	buf_clear(&s->table);
}
