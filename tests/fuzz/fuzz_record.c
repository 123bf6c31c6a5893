// SPDX-License-Identifier: Apache-2.0
/*
 * The record file reader. The first byte of an input chooses: 0: the rest is a file as it is; else
 * the rest is a list of chunks { u8 type, u24 length, payload } that are put behind a good head and
 * get right check sums, so that the fuzzer reaches what lies behind them. Each row that comes is
 * read field by field.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "columns/format.h"
#include "recorder/file.h"
#include "recorder/format.h"

static void add_chunk(struct buf *file, uint32_t type, const void *payload, size_t length)
{
	struct chunk_head head = { type, (uint32_t)length };
	uint32_t sum = (uint32_t)crc32_z(0, (const void *)&head, sizeof(head));

	sum = (uint32_t)crc32_z(sum, payload, length);
	buf_add(file, &head, sizeof(head));
	buf_add(file, payload, length);
	buf_add(file, &sum, sizeof(sum));
}

static void make_file(struct buf *file, const uint8_t *at, size_t left)
{
	struct file_head head = { FILE_MAGIC, FILE_VERSION, FILE_BYTE_ORDER };
	int64_t clock = 0;

	buf_add(file, &head, sizeof(head));
	add_chunk(file, CHUNK_CLOCK, &clock, sizeof(clock));
	while (left >= 4) {
		size_t length = at[1] | (size_t)at[2] << 8 | (size_t)at[3] << 16;

		if (length > left - 4)
			length = left - 4;
		add_chunk(file, at[0], at + 4, length);
		at += 4 + length;
		left -= 4 + length;
	}
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

static void read_file(int fd)
{
	struct schema *schemas[FILE_MAX_SOURCES] = { 0 };
	struct record_reader *r;
	struct record_event ev;
	struct err err;
	unsigned int rows = 0;
	int e = record_reader_open(fd, &r, &err);

	if (e < 0)
		return;
	while ((e = record_reader_next(r, &ev, &err)) > 0) {
		if (e == RECORD_SOURCE)
			schemas[ev.source] = ev.schema;
		if (e == RECORD_ROW && rows++ < 100)
			read_fields(schemas[ev.source], &ev.row, record_reader_clock(r));
	}
	if (e < 0 && !err.text[0])
		abort(); /* a fault without a word */
	record_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct buf file;

	if (fd < 0)
		abort();
	buf_init(&file, 4 << 20);
	if (size && data[0])
		make_file(&file, data + 1, size - 1);
	else if (size)
		buf_add(&file, data + 1, size - 1);
	if (file.len && pwrite(fd, file.data, file.len, 0) != (ssize_t)file.len)
		abort();
	buf_done(&file);
	read_file(fd); /* takes fd */
	return 0;
}
