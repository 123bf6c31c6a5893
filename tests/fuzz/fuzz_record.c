// SPDX-License-Identifier: Apache-2.0
/*
 * The record file reader. The first byte of an input chooses: 0: the rest is a file as it is; else
 * the rest is a list of chunks { u8 type, u24 length, payload } that are put behind a good head and
 * get right check sums, so that the fuzzer reaches what lies behind them: 1: of version 1; 2: of
 * version 2, whose chunks are packed as their type wants it; 3: the same with an index of all of
 * them. Each row that comes is read field by field. The file is read again with a selection, and
 * gone on with; what was appended must be readable.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "columns/format.h"
#include "recorder/file.h"
#include "recorder/format.h"

enum mode { AS_IT_IS, VERSION_1, PACKED, INDEXED };

struct made {
	enum mode mode;
	struct buf file;
	struct index_entry entries[INDEX_ENTRIES];
	size_t n;
};

/* How much of a payload is not packed. */
static size_t fixed_part(enum mode mode, uint32_t type, size_t length)
{
	static const size_t sizes[] = {
		[CHUNK_CLOCK] = 8,
		[CHUNK_SOURCE] = sizeof(struct source_head),
		[CHUNK_CONTAINER] = 8,
		[CHUNK_ROWS] = sizeof(struct block_head),
		[CHUNK_INDEX] = sizeof(struct index_head),
	};

	if (mode == VERSION_1 || type >= array_size(sizes) || !sizes[type] || length < sizes[type])
		return length;
	return sizes[type];
}

static void add_chunk(struct made *m, uint32_t type, const void *payload, size_t length)
{
	size_t fixed = fixed_part(m->mode, type, length);
	_cleanup_(buf_done) struct buf chunk = {.max = 4 << 20};
	struct index_entry entry = {.offset = m->file.len, .type = type};
	struct chunk_head head = {.type = type};
	struct block_head block;
	uint32_t sum;

	buf_add(&chunk, payload, fixed);
	if (fixed < length && buf_reserve(&chunk, ZSTD_compressBound(length - fixed)))
		chunk.len +=
			ZSTD_compress(chunk.data + chunk.len, ZSTD_compressBound(length - fixed),
				      (const char *)payload + fixed, length - fixed, 1);
	head.length = (uint32_t)chunk.len;
	sum = (uint32_t)crc32_z(0, (const void *)&head, sizeof(head));
	sum = (uint32_t)crc32_z(sum, (const void *)chunk.data, chunk.len);
	if (type == CHUNK_ROWS && fixed == sizeof(block)) {
		memcpy(&block, payload, sizeof(block));
		entry.rows = block.rows;
		entry.span = block.span;
	}
	if (m->n < INDEX_ENTRIES && type != CHUNK_INDEX && type != CHUNK_END)
		m->entries[m->n++] = entry;
	buf_add(&m->file, &head, sizeof(head));
	buf_add(&m->file, chunk.data, chunk.len);
	buf_add(&m->file, &sum, sizeof(sum));
}

static void make_file(struct made *m, const uint8_t *at, size_t left)
{
	struct file_head head = {FILE_MAGIC, m->mode == VERSION_1 ? 1 : FILE_VERSION,
				 FILE_BYTE_ORDER};
	struct end_chunk end = {0};
	int64_t clock[2] = {0};

	buf_add(&m->file, &head, sizeof(head));
	add_chunk(m, CHUNK_CLOCK, clock, m->mode == VERSION_1 ? 8 : 16);
	while (left >= 4) {
		size_t length = at[1] | (size_t)at[2] << 8 | (size_t)at[3] << 16;

		if (length > left - 4)
			length = left - 4;
		add_chunk(m, at[0], at + 4, length);
		at += 4 + length;
		left -= 4 + length;
	}
	if (m->mode != INDEXED)
		return;
	end.index = m->file.len;
	{
		struct {
			struct index_head head;
			struct index_entry entries[INDEX_ENTRIES];
		} index = {0};

		memcpy(index.entries, m->entries, sizeof(index.entries));
		add_chunk(m, CHUNK_INDEX, &index, sizeof(index.head) + m->n * sizeof(*m->entries));
	}
	add_chunk(m, CHUNK_END, &end, sizeof(end));
}

static void read_fields(const struct schema *s, const struct row *row,
			const struct clock_base *clock)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < s->n_fields; i++) {
		if (s->fields[i].format->text)
			s->fields[i].format->text(&s->fields[i], row, clock, &out);
		if (s->fields[i].format->json)
			s->fields[i].format->json(&s->fields[i], row, clock, &out);
	}
	row_time(s, row);
	buf_done(&out);
}

static bool is_third(void *ctx, const struct container *c)
{
	return c && container_slot(c->key) == 3;
}

/* Takes fd. 0: it was read to its end. */
static int read_file(int fd, const struct record_selection *selection)
{
	struct schema *schemas[FILE_MAX_SOURCES] = {0};
	struct record_reader *r;
	struct record_event ev;
	struct err err = {0};
	unsigned int rows = 0;
	int e = selection ? record_reader_begin(fd, &r, &err) : record_reader_open(fd, &r, &err);

	if (e < 0)
		return e;
	while (record_reader_prepare(r))
		;
	if (selection)
		record_reader_select(r, selection);
	while ((e = record_reader_next(r, &ev, &err)) > 0) {
		if (e == RECORD_SOURCE)
			schemas[ev.source] = ev.schema;
		if (e == RECORD_ROW && rows++ < 100)
			read_fields(schemas[ev.source], &ev.row, record_reader_clock(r));
	}
	if (e < 0 && !err.text[0])
		abort(); /* a fault without a word */
	record_reader_free(r);
	return e;
}

static int at_start(int fd)
{
	lseek(fd, 0, SEEK_SET);
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Ending a file must not make it worse than it was. */
static void go_on(int fd, bool was_good)
{
	struct clock_base clock = {5};
	struct record_writer *w;
	uint64_t dropped;
	struct err err;

	if (record_writer_append(at_start(fd), &clock, &w, &dropped, &err))
		return;
	if (record_writer_close(w, &err))
		abort();
	if (read_file(at_start(fd), NULL) && was_good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct record_selection some = {
		.from_ns = 1000, .to_ns = 1 << 20, .wanted = is_third};
	struct made m = {.mode = size ? data[0] & 3 : AS_IT_IS, .file.max = 8 << 20};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	bool good;

	if (fd < 0)
		abort();
	if (m.mode != AS_IT_IS)
		make_file(&m, data + 1, size - 1);
	else if (size)
		buf_add(&m.file, data + 1, size - 1);
	if (m.file.len && pwrite(fd, m.file.data, m.file.len, 0) != (ssize_t)m.file.len)
		abort();
	buf_done(&m.file);
	good = !read_file(at_start(fd), NULL);
	read_file(at_start(fd), &some);
	go_on(fd, good);
	close(fd);
	return 0;
}
