// SPDX-License-Identifier: Apache-2.0
/*
 * Reading record files, which may be cut short, corrupted or hostile. A chunk is believed after its
 * check sum was right, and each number in it only after it was compared with its bound. The first
 * fault ends the reading: its place and nature are said, and said again by later calls.
 */
#include "recorder/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/gadget.h"
#include "containers/container_json.h"
#include "recorder/format.h"

struct known_container {
	struct container *container;
	uint32_t json_bytes;
};

struct record_reader {
	int fd;
	uint64_t offset;      /* in the file: of the next chunk */
	uint64_t chunk_start; /* of the current one */
	struct chunk_head head;
	unsigned char *chunk; /* payload, then the check sum; aligned */
	size_t room;
	size_t at; /* in a chunk of rows: the next one */
	struct clock_base clock;
	struct schema **sources;
	size_t n_sources, room_sources;
	struct known_container *containers; /* by slot */
	size_t n_containers;
	uint64_t container_bytes;
	uint64_t container_chunks;
	uint64_t rows;
	bool ended;
	struct err fault; /* .code != 0: nothing more is read */
};

__attribute__((format(printf, 3, 4))) static int fault(struct record_reader *r, uint64_t offset,
						       const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(&r->fault, -EBADMSG, "record file, byte %" PRIu64 ": %s", offset, what);
}

/* Reads up to n bytes; fewer only at the end of the file. */
static int get(struct record_reader *r, void *to, size_t n, size_t *ret)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(r->fd, (char *)to + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(&r->fault, -errno, "reading the record file: %s",
				       strerror(errno));
		if (!got)
			break;
		done += (size_t)got;
	}
	r->offset += done;
	*ret = done;
	return 0;
}

static int make_room(struct record_reader *r, size_t n)
{
	unsigned char *chunk;

	if (n <= r->room)
		return 0;
	chunk = realloc(r->chunk, n);
	if (!chunk)
		return err_set(&r->fault, -ENOMEM, "no memory for a chunk of %zu bytes", n);
	r->chunk = chunk;
	r->room = n;
	return 0;
}

/* The next chunk whole and checked. 1: there is none, the file ends where a chunk would begin. */
static int get_chunk(struct record_reader *r)
{
	struct chunk_head *head = &r->head;
	uint32_t sum, said;
	size_t n, want;
	int e;

	r->chunk_start = r->offset;
	r->at = 0;
	e = get(r, head, sizeof(*head), &n);
	if (e < 0)
		return e;
	if (!n)
		return 1;
	if (n < sizeof(*head))
		return fault(r, r->chunk_start, "cut short: %zu bytes of a chunk's head", n);
	if (head->length > CHUNK_MAX_BYTES)
		return fault(r, r->chunk_start,
			     "a chunk of type %u says it has %u bytes; at most %u are allowed",
			     head->type, head->length, CHUNK_MAX_BYTES);
	want = head->length + sizeof(sum);
	e = make_room(r, want);
	if (e >= 0)
		e = get(r, r->chunk, want, &n);
	if (e < 0)
		return e;
	if (n < want)
		return fault(r, r->chunk_start, "cut short: %zu of %zu bytes of a chunk", n, want);
	sum = (uint32_t)crc32_z(0, (const unsigned char *)head, sizeof(*head));
	sum = (uint32_t)crc32_z(sum, r->chunk, head->length);
	memcpy(&said, r->chunk + head->length, sizeof(said));
	if (sum != said)
		return fault(r, r->chunk_start,
			     "a chunk's check sum is 0x%08x, its bytes give 0x%08x", said, sum);
	return 0;
}

static int get_head(struct record_reader *r)
{
	struct file_head head;
	size_t n;
	int e = get(r, &head, sizeof(head), &n);

	if (e < 0)
		return e;
	if (n < sizeof(head.magic) || memcmp(head.magic, FILE_MAGIC, sizeof(head.magic)) != 0)
		return fault(r, 0, "not a record file");
	if (n < sizeof(head))
		return fault(r, 0, "cut short: %zu bytes of the head", n);
	if (head.byte_order != FILE_BYTE_ORDER)
		return fault(r, offsetof(struct file_head, byte_order), "not little endian");
	if (head.version != FILE_VERSION)
		return fault(r, offsetof(struct file_head, version),
			     "version %u of the format; this program reads version %u",
			     head.version, FILE_VERSION);
	return 0;
}

static int get_clock(struct record_reader *r)
{
	int e = get_chunk(r);

	if (e < 0)
		return e;
	if (e || r->head.type != CHUNK_CLOCK || r->head.length < sizeof(r->clock.boot_to_real_ns))
		return fault(r, r->chunk_start, "the first chunk is not the clock");
	memcpy(&r->clock.boot_to_real_ns, r->chunk, sizeof(r->clock.boot_to_real_ns));
	r->head.type = 0;
	return 0;
}

int record_reader_open(int fd, struct record_reader **ret, struct err *err)
{
	struct record_reader *r = xnew(struct record_reader);
	int e;

	r->fd = fd;
	e = get_head(r);
	if (e >= 0)
		e = get_clock(r);
	if (e < 0) {
		if (err)
			*err = r->fault;
		record_reader_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct record_reader *record_reader_free(struct record_reader *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_sources; i++)
		schema_unref(r->sources[i]);
	for (size_t i = 0; i < r->n_containers; i++)
		container_unref(r->containers[i].container);
	close(r->fd);
	free(r->sources);
	free(r->containers);
	free(r->chunk);
	free(r);
	return NULL;
}

const struct clock_base *record_reader_clock(const struct record_reader *r)
{
	return &r->clock;
}

static int read_source(struct record_reader *r, struct record_event *ev)
{
	_cleanup_(schema_unrefp) struct schema *plain = NULL;
	struct source_head head;
	struct err why = { 0 };
	struct schema *s;

	if (r->head.length < sizeof(head))
		return fault(r, r->chunk_start, "a data source of %u bytes", r->head.length);
	memcpy(&head, r->chunk, sizeof(head));
	if (head.source != r->n_sources || head.source >= FILE_MAX_SOURCES ||
	    head.kind > SOURCE_SNAPSHOT)
		return fault(r, r->chunk_start, "data source %u of kind %u after %zu others",
			     head.source, head.kind, r->n_sources);
	if (schema_from_json((const char *)r->chunk + sizeof(head), r->head.length - sizeof(head),
			     &plain, &why) < 0)
		return fault(r, r->chunk_start, "the schema of data source %u: %s", head.source,
			     why.text);
	/* The file tells of the record only; what enriches it is this process's own. */
	if (container_extend_schema(plain, &s, &why) < 0)
		return fault(r, r->chunk_start, "the schema of data source %u: %s", head.source,
			     why.text);
	*grow(&r->sources, &r->n_sources, &r->room_sources) = s;
	ev->source = head.source;
	ev->kind = head.kind;
	ev->schema = s;
	return RECORD_SOURCE;
}

static struct known_container *container_place(struct record_reader *r, uint32_t slot)
{
	if (slot >= r->n_containers) {
		size_t n = r->n_containers ? r->n_containers : 16;

		while (n <= slot)
			n *= 2;
		r->containers = xrealloc(r->containers, n, sizeof(*r->containers));
		memset(r->containers + r->n_containers, 0,
		       (n - r->n_containers) * sizeof(*r->containers));
		r->n_containers = n;
	}
	return &r->containers[slot];
}

static int read_container(struct record_reader *r)
{
	struct known_container *to;
	struct container *c;
	const char *why;
	uint64_t key;

	if (r->head.length < sizeof(key))
		return fault(r, r->chunk_start, "a container of %u bytes", r->head.length);
	memcpy(&key, r->chunk, sizeof(key));
	if (!key || container_slot(key) >= MAX_SLOTS)
		return fault(r, r->chunk_start, "container 0x%" PRIx64 " has no possible key", key);
	if (container_from_json((const char *)r->chunk + sizeof(key), r->head.length - sizeof(key),
				&c, &why) < 0)
		return fault(r, r->chunk_start, "container 0x%" PRIx64 ": %s", key, why);
	c->key = key;
	c->version = ++r->container_chunks;
	to = container_place(r, container_slot(key));
	container_unref(to->container);
	r->container_bytes += (uint64_t)r->head.length - to->json_bytes;
	*to = (struct known_container){ c, r->head.length };
	if (r->container_bytes > FILE_MAX_CONTAINER_BYTES)
		return fault(r, r->chunk_start, "the containers take more than %u bytes",
			     FILE_MAX_CONTAINER_BYTES);
	return 0;
}

/* The container of a key, NULL for none; false where the file did not describe it. */
static inline bool find_container(const struct record_reader *r, uint64_t key,
				  struct container **ret)
{
	uint32_t slot = container_slot(key);

	if (!key) {
		*ret = NULL;
		return true;
	}
	if (slot >= r->n_containers || !r->containers[slot].container ||
	    r->containers[slot].container->key != key)
		return false;
	*ret = r->containers[slot].container;
	return true;
}

static int read_row(struct record_reader *r, struct record_event *ev)
{
	const unsigned char *at = r->chunk + r->at;
	size_t left = r->head.length - r->at;
	uint64_t offset = r->chunk_start + sizeof(r->head) + r->at;
	struct container *c;
	struct row_head head;

	if (left < sizeof(head))
		return fault(r, offset, "%zu bytes of a row's head", left);
	memcpy(&head, at, sizeof(head));
	if (head.size > ROW_MAX_BYTES || row_padded(head.size) > left - sizeof(head))
		return fault(r, offset, "a row says it has %u bytes; its block has %zu", head.size,
			     left - sizeof(head));
	if (head.source >= r->n_sources)
		return fault(r, offset, "a row of data source %u, which was not described",
			     head.source);
	if (!find_container(r, head.key, &c))
		return fault(r, offset, "a row of container 0x%" PRIx64 ", which was not described",
			     head.key);
	r->at += sizeof(head) + row_padded(head.size);
	r->rows++;
	ev->source = head.source;
	ev->container = c;
	ev->row = (struct row){.part = {at + sizeof(head), c},
			       .size = {head.size, c ? sizeof(*c) : 0},
			       .container_version = c ? c->version : 0};
	return RECORD_ROW;
}

/* A chunk of fixed size that begins with a source. */
static int read_fixed(struct record_reader *r, void *to, size_t size, struct record_event *ev)
{
	struct source_head head;

	if (r->head.length != size)
		return fault(r, r->chunk_start, "a chunk of type %u has %u bytes instead of %zu",
			     r->head.type, r->head.length, size);
	memcpy(to, r->chunk, size);
	memcpy(&head, to, sizeof(head));
	if (head.source >= r->n_sources)
		return fault(r, r->chunk_start,
			     "a chunk of type %u names data source %u, which was not described",
			     r->head.type, head.source);
	ev->source = head.source;
	return 0;
}

static int read_table_end(struct record_reader *r, struct record_event *ev)
{
	struct {
		struct source_head head;
		uint64_t boot_ns;
	} end;
	int e = read_fixed(r, &end, sizeof(end), ev);

	if (e < 0)
		return e;
	ev->boot_ns = end.boot_ns;
	return RECORD_TABLE_END;
}

static int read_loss(struct record_reader *r, struct record_event *ev)
{
	struct {
		struct source_head head;
		uint64_t key, count;
	} loss;
	int e = read_fixed(r, &loss, sizeof(loss), ev);

	if (e < 0)
		return e;
	if (!find_container(r, loss.key, &ev->container))
		return fault(r, r->chunk_start,
			     "loss of container 0x%" PRIx64 ", which was not described", loss.key);
	ev->count = loss.count;
	return RECORD_LOSS;
}

static int read_totals(struct record_reader *r, struct record_event *ev)
{
	struct {
		struct source_head head;
		uint64_t seen, delivered, discarded, lost;
	} n;
	int e = read_fixed(r, &n, sizeof(n), ev);

	if (e < 0)
		return e;
	ev->totals = (struct record_totals){ n.seen, n.delivered, n.discarded, n.lost };
	return RECORD_TOTALS;
}

static int read_end(struct record_reader *r)
{
	uint64_t rows;
	char more;
	size_t n;
	int e;

	if (r->head.length != sizeof(rows))
		return fault(r, r->chunk_start, "an end of %u bytes", r->head.length);
	memcpy(&rows, r->chunk, sizeof(rows));
	if (rows != r->rows)
		return fault(r, r->chunk_start, "the end says %" PRIu64 " rows; %" PRIu64 " came",
			     rows, r->rows);
	e = get(r, &more, 1, &n);
	if (e < 0)
		return e;
	if (n)
		return fault(r, r->offset - 1, "bytes after the end");
	r->ended = true;
	return RECORD_END;
}

/* > 0: an event; 0: the chunk gave none, or was the end (r->ended). */
static int read_chunk(struct record_reader *r, struct record_event *ev)
{
	switch (r->head.type) {
	case CHUNK_CLOCK:
		return fault(r, r->chunk_start, "a second clock");
	case CHUNK_SOURCE:
		return read_source(r, ev);
	case CHUNK_CONTAINER:
		return read_container(r);
	case CHUNK_ROWS:
		return r->at < r->head.length ? read_row(r, ev) : 0;
	case CHUNK_TABLE_END:
		return read_table_end(r, ev);
	case CHUNK_LOSS:
		return read_loss(r, ev);
	case CHUNK_TOTALS:
		return read_totals(r, ev);
	case CHUNK_END:
		return read_end(r);
	default: /* of a later version that did not change what we know */
		return 0;
	}
}

int record_reader_next(struct record_reader *r, struct record_event *ret, struct err *err)
{
	int e = 0;

	if (r->head.type == CHUNK_ROWS && r->at < r->head.length && !r->fault.code)
		e = read_row(r, ret); /* the many: only the fields of a row are touched */
	while (!e && !r->fault.code && !r->ended) {
		e = get_chunk(r);
		if (e > 0)
			e = fault(r, r->chunk_start, "cut short: the file has no end chunk");
		else if (!e)
			e = read_chunk(r, ret);
	}
	if (r->fault.code && err)
		*err = r->fault;
	return r->fault.code ?: e;
}
