/* SPDX-License-Identifier: Apache-2.0 */
/* Record files in memory, with one schema and one container; and chunks of any sort. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/types.h"
#include "gadget/gadget.h"
#include "recorder/file.h"
#include "recorder/format.h"

struct sample {
	g_time timestamp;
	g_container container;
	uint32_t number;
	g_text path;
};

static const struct clock_base base = {1234567890123456789};

static inline struct schema *sample_schema(void)
{
	const struct field fields[] = {
		{.name = "timestamp", .type = "g_time", .kind = KIND_UINT, .offset = 0, .size = 8},
		{.name = "container",
		 .type = "g_container",
		 .kind = KIND_UINT,
		 .offset = 8,
		 .size = 8,
		 .flags = FIELD_INTERNAL},
		{.name = "number", .doc = "A number", .kind = KIND_UINT, .offset = 16, .size = 4},
		{.name = "path",
		 .type = "g_text",
		 .kind = KIND_TEXT,
		 .offset = offsetof(struct sample, path),
		 .size = sizeof(g_text)},
	};
	struct schema *s = schema_new("trace_sample", "sample", sizeof(struct sample));
	struct err err;

	assert_int_equal(schema_add_table(s, fields, array_size(fields), &err), 0);
	assert_int_equal(container_add_fields(s, &err), 0);
	assert_int_equal(schema_finish(s, &err), 0);
	return s;
}

static inline struct container *sample_container(void)
{
	struct container *c = container_new();

	c->key = (uint64_t)7 << 32 | 3;
	c->id = xstrdup("0123abcd");
	c->name = xstrdup("we\"b\n\xff");
	c->runtime = xstrdup("runc");
	c->cgroup_id = 4711;
	c->mntns = 4026532176;
	c->pid = 99;
	c->started_real_ns = 1700000000000000000;
	labels_add(&c->annotations, "a", "1");
	labels_add(&c->annotations, "b", "");
	return c;
}

static inline int memory_file(void)
{
	int fd = memfd_create("record", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void put_sample(struct record_writer *w, unsigned int source, uint32_t number,
			      const struct container *c)
{
	struct {
		struct sample s;
		char tail[40];
	} r = {.s = {.timestamp = 1000 + number, .number = number}};
	uint32_t length = number % sizeof(r.tail);
	struct row row = {.part = {&r, c},
			  .size = {(uint32_t)sizeof(r.s) + length, c ? sizeof(*c) : 0}};

	memset(r.tail, 'x', length);
	r.s.path = (g_text){sizeof(r.s), length};
	assert_int_equal(record_writer_row(w, source, &row), 0);
}

/*
 * A file with one source, `rows` rows (every second one of a container), loss, a table's end,
 * totals. Returns its fd at 0.
 */
static inline int sample_file(uint32_t rows)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *c = sample_container();
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	unsigned int source;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	for (uint32_t i = 0; i < rows; i++)
		put_sample(w, source, i, i % 2 ? c : NULL);
	assert_int_equal(record_writer_loss(w, source, c, 12), 0);
	assert_int_equal(record_writer_loss(w, source, NULL, 1), 0);
	assert_int_equal(record_writer_table_end(w, source, 5000), 0);
	assert_int_equal(record_writer_totals(w, source, (struct record_totals){10, 4, 3, 3}), 0);
	assert_int_equal(record_writer_close(w, &err), 0);
	assert_int_equal(lseek(keep, 0, SEEK_SET), 0);
	return keep;
}

static inline struct record_reader *open_file(int fd)
{
	struct record_reader *r;
	struct err err;

	assert_int_equal(record_reader_open(fd, &r, &err), 0);
	return r;
}

/* Reads to the end or the fault; returns the code and the number of rows before it. */
static inline int read_all(int fd, uint32_t *ret_rows, struct err *err)
{
	struct record_reader *r;
	struct record_event ev;
	int e = record_reader_open(fd, &r, err);

	*ret_rows = 0;
	if (e < 0)
		return e;
	while ((e = record_reader_next(r, &ev, err)) > 0)
		*ret_rows += e == RECORD_ROW;
	if (e < 0) { /* the fault is said again */
		struct err again;

		assert_int_equal(record_reader_next(r, &ev, &again), e);
		assert_string_equal(again.text, err->text);
	}
	record_reader_free(r);
	return e;
}

/* The first n bytes of a file as a new one. */
static inline int copy_of(int fd, size_t n)
{
	int copy = memory_file();
	off_t from = 0;

	while (n) {
		ssize_t done = sendfile(copy, fd, &from, n);

		assert_true(done > 0);
		n -= (size_t)done;
	}
	lseek(copy, 0, SEEK_SET);
	return copy;
}

/* A chunk with a right check sum; `packed` goes behind the fixed part as one zstd frame. */
static inline void append_chunk(int fd, uint32_t type, const void *fixed, uint32_t n,
				const void *packed, uint32_t length)
{
	unsigned char payload[4096];
	struct chunk_head head = {type, n};
	uint32_t sum;

	memcpy(payload, fixed, n);
	if (packed)
		head.length += (uint32_t)ZSTD_compress(payload + n, sizeof(payload) - n, packed,
						       length, 1);
	sum = (uint32_t)crc32(0, (const void *)&head, sizeof(head));
	sum = (uint32_t)crc32(sum, payload, head.length);
	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, payload, head.length), head.length);
	assert_int_equal(write(fd, &sum, sizeof(sum)), sizeof(sum));
}
