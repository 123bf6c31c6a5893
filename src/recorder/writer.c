// SPDX-License-Identifier: Apache-2.0
/*
 * Writing record files. Rows are gathered in blocks of some 64 KiB; everything else first puts
 * the block out, so that the file keeps the order of calls. The first failure stays: later calls
 * return it and write nothing, so that a file never continues behind a hole.
 */
#include "recorder/file.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/container_json.h"
#include "recorder/format.h"

/* The container that was written last for a slot. */
struct written {
	uint64_t key, version;
};

struct record_writer {
	int fd;
	int error; /* the first one, -errno */
	unsigned int n_sources;
	uint64_t rows;
	struct written *known; /* by slot */
	size_t n_known;
	size_t used; /* bytes of rows in `block` */
	/* A chunk in the making: its head, rows, and room for the check sum. */
	unsigned char block[sizeof(struct chunk_head) + BLOCK_BYTES + sizeof(struct row_head) +
			    ROW_MAX_BYTES + sizeof(uint32_t)] __attribute__((aligned(8)));
};

static int put(struct record_writer *w, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (!w->error && n) {
		ssize_t done = write(w->fd, at, n);

		if (done >= 0) {
			at += done;
			n -= (size_t)done;
		} else if (errno != EINTR) {
			w->error = -errno;
		}
	}
	return w->error;
}

/* chunk: room for the head, then `length` bytes, then room for the check sum. */
static int put_chunk(struct record_writer *w, unsigned char *chunk, enum chunk_type type,
		     size_t length)
{
	struct chunk_head head = { (uint32_t)type, (uint32_t)length };
	uint32_t sum;

	memcpy(chunk, &head, sizeof(head));
	sum = (uint32_t)crc32_z(0, chunk, sizeof(head) + length);
	memcpy(chunk + sizeof(head) + length, &sum, sizeof(sum));
	return put(w, chunk, sizeof(head) + length + sizeof(sum));
}

int record_writer_flush(struct record_writer *w)
{
	size_t used = w->used;

	w->used = 0;
	return used ? put_chunk(w, w->block, CHUNK_ROWS, used) : w->error;
}

/* A chunk of a fixed part and a text; rows before it go first. */
static int put_other(struct record_writer *w, enum chunk_type type, const void *fixed, size_t n,
		     const struct buf *text)
{
	size_t length = n + (text ? text->len : 0);
	_cleanup_(freep) unsigned char *chunk = NULL;

	if (record_writer_flush(w))
		return w->error;
	if (length > CHUNK_MAX_BYTES || (text && text->failed))
		return w->error = -E2BIG;
	chunk = xnew_n(unsigned char, sizeof(struct chunk_head) + length + sizeof(uint32_t));
	memcpy(chunk + sizeof(struct chunk_head), fixed, n);
	if (text && text->len)
		memcpy(chunk + sizeof(struct chunk_head) + n, text->data, text->len);
	return put_chunk(w, chunk, type, length);
}

static void add_text(struct buf *json, const char *name, const char *value)
{
	buf_printf(json, ",\"%s\":", name);
	json_quote(json, value, strlen(value));
}

static int put_clock(struct record_writer *w, const struct clock_base *clock)
{
	struct utsname host = { 0 };
	struct timespec now;
	struct buf json;
	int r;

	uname(&host);
	clock_gettime(CLOCK_REALTIME, &now);
	buf_init(&json, CHUNK_MAX_BYTES / 2);
	buf_printf(&json, "{\"time\":%llu",
		   (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec);
	add_text(&json, "host", host.nodename);
	add_text(&json, "kernel", host.release);
	add_text(&json, "machine", host.machine);
	add_text(&json, "ig", IG_VERSION);
	buf_char(&json, '}');
	r = put_other(w, CHUNK_CLOCK, &clock->boot_to_real_ns, sizeof(clock->boot_to_real_ns),
		      &json);
	buf_done(&json);
	return r;
}

int record_writer_new(int fd, const struct clock_base *clock, struct record_writer **ret,
		      struct err *err)
{
	struct file_head head = { .magic = FILE_MAGIC,
				  .version = FILE_VERSION,
				  .byte_order = FILE_BYTE_ORDER };
	struct record_writer *w = malloc(sizeof(*w));
	int r;

	if (!w) {
		close(fd);
		return err_set(err, -ENOMEM, "no memory for a record file's block");
	}
	memset(w, 0, offsetof(struct record_writer, block));
	w->fd = fd;
	r = put(w, &head, sizeof(head)) ?: put_clock(w, clock);
	if (r < 0) {
		record_writer_close(w, NULL);
		return err_set(err, r, "writing the record file: %s", strerror(-r));
	}
	*ret = w;
	return 0;
}

int record_writer_source(struct record_writer *w, const struct schema *s, unsigned int kind,
			 unsigned int *ret_source, struct err *err)
{
	struct source_head head = { w->n_sources, kind };
	struct buf json;
	int r;

	if (w->n_sources == FILE_MAX_SOURCES)
		return err_set(err, -ENOSPC, "a record file holds at most %u data sources",
			       FILE_MAX_SOURCES);
	buf_init(&json, CHUNK_MAX_BYTES - sizeof(head));
	schema_to_json(s, &json);
	r = put_other(w, CHUNK_SOURCE, &head, sizeof(head), &json);
	buf_done(&json);
	if (r < 0)
		return err_set(err, r, "writing the record file: %s", strerror(-r));
	*ret_source = w->n_sources++;
	return 0;
}

static int put_container(struct record_writer *w, const struct container *c)
{
	uint32_t slot = container_slot(c->key);
	struct buf json;
	int r;

	if (slot >= MAX_SLOTS)
		return w->error = -EINVAL;
	if (slot >= w->n_known) {
		size_t n = w->n_known ? w->n_known : 16;

		while (n <= slot)
			n *= 2;
		w->known = xrealloc(w->known, n, sizeof(*w->known));
		memset(w->known + w->n_known, 0, (n - w->n_known) * sizeof(*w->known));
		w->n_known = n;
	}
	w->known[slot] = (struct written){c->key, c->version};
	buf_init(&json, CHUNK_MAX_BYTES - sizeof(c->key));
	container_to_json(c, CONTAINER_ALL, &json);
	r = put_other(w, CHUNK_CONTAINER, &c->key, sizeof(c->key), &json);
	buf_done(&json);
	return r;
}

/* The key that stands for c in the file, after c was described there as it is now. */
static inline uint64_t container_known(struct record_writer *w, const struct container *c)
{
	uint32_t slot;

	if (!c || !c->key)
		return 0;
	slot = container_slot(c->key);
	if (slot >= w->n_known || w->known[slot].key != c->key ||
	    w->known[slot].version != c->version)
		put_container(w, c);
	return c->key;
}

int record_writer_row(struct record_writer *w, unsigned int source, const struct row *row)
{
	uint32_t size = row->size[PART_RECORD];
	struct row_head head = { .size = size, .source = source };
	unsigned char *to;

	if (source >= w->n_sources || size > ROW_MAX_BYTES)
		w->error = w->error ?: -EINVAL;
	head.key = container_known(w, row->part[PART_CONTAINER]);
	if (w->error)
		return w->error;
	if (w->used + sizeof(head) + row_padded(size) > BLOCK_BYTES && record_writer_flush(w))
		return w->error;
	to = w->block + sizeof(struct chunk_head) + w->used;
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), row->part[PART_RECORD], size);
	memset(to + sizeof(head) + size, 0, row_padded(size) - size);
	w->used += sizeof(head) + row_padded(size);
	w->rows++;
	return 0;
}

int record_writer_table_end(struct record_writer *w, unsigned int source, uint64_t boot_ns)
{
	struct {
		struct source_head head;
		uint64_t boot_ns;
	} end = { { source, 0 }, boot_ns };

	return put_other(w, CHUNK_TABLE_END, &end, sizeof(end), NULL);
}

int record_writer_loss(struct record_writer *w, unsigned int source, const struct container *c,
		       uint64_t count)
{
	struct {
		struct source_head head;
		uint64_t key, count;
	} loss = { { source, 0 }, container_known(w, c), count };

	return put_other(w, CHUNK_LOSS, &loss, sizeof(loss), NULL);
}

int record_writer_totals(struct record_writer *w, unsigned int source, struct record_totals n)
{
	struct {
		struct source_head head;
		uint64_t seen, delivered, discarded, lost;
	} totals = { { source, 0 }, n.seen, n.delivered, n.discarded, n.lost };

	return put_other(w, CHUNK_TOTALS, &totals, sizeof(totals), NULL);
}

int record_writer_close(struct record_writer *w, struct err *err)
{
	int r;

	if (!w)
		return 0;
	r = record_writer_flush(w);
	if (!r)
		r = put_other(w, CHUNK_END, &w->rows, sizeof(w->rows), NULL);
	if (close(w->fd) < 0 && !r)
		r = -errno;
	free(w->known);
	free(w);
	return r < 0 ? err_set(err, r, "writing the record file: %s", strerror(-r)) : 0;
}
