// SPDX-License-Identifier: Apache-2.0
/*
 * Speed of record files: writes and reads N records (default 5 M) of 150 bytes to and from FILE
 * (default: memory) and prints one line of JSON. CPU time of this process, so that a busy machine
 * does not disturb.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/types.h"
#include "gadget/gadget.h"
#include "recorder/file.h"

struct sample {
	g_time timestamp;
	g_container container;
	char rest[134];
};

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct schema *sample_schema(struct err *err)
{
	static const struct field fields[] = {
		{ .name = "timestamp",
		  .type = "g_time",
		  .kind = KIND_UINT,
		  .offset = 0,
		  .size = 8 },
		{ .name = "container",
		  .type = "g_container",
		  .kind = KIND_UINT,
		  .offset = 8,
		  .size = 8 },
		{ .name = "rest", .kind = KIND_CHARS, .offset = 16, .size = 134 },
	};
	struct schema *s = schema_new("bench", "bench", 150);

	if (schema_add_table(s, fields, array_size(fields), err) < 0 || schema_finish(s, err) < 0)
		return schema_unref(s);
	return s;
}

static int write_all(int fd, uint64_t n, struct err *err)
{
	struct clock_base clock = { 0 };
	struct sample sample = { 0 };
	struct container *c = container_new();
	struct row row = { .part = { &sample, c }, .size = { 150, sizeof(*c) } };
	struct schema *s = sample_schema(err);
	struct record_writer *w;
	unsigned int source;
	int r;

	c->key = 1ull << 32 | 1;
	c->name = xstrdup("bench");
	memset(sample.rest, 'x', sizeof(sample.rest));
	r = record_writer_new(fd, &clock, &w, err);
	if (r < 0)
		return r;
	r = record_writer_source(w, s, SOURCE_TRACER, &source, err);
	for (uint64_t i = 0; r >= 0 && i < n; i++) {
		sample.timestamp = i;
		r = record_writer_row(w, source, &row);
	}
	r = record_writer_close(w, err);
	schema_unref(s);
	container_unref(c);
	return r;
}

static int read_all(int fd, uint64_t *ret_sum, struct err *err)
{
	struct record_reader *reader;
	struct record_event ev;
	uint64_t sum = 0;
	int r = record_reader_open(fd, &reader, err);

	if (r < 0)
		return r;
	while ((r = record_reader_next(reader, &ev, err)) > 0)
		if (r == RECORD_ROW)
			sum += ((const struct sample *)ev.row.part[PART_RECORD])->timestamp;
	record_reader_free(reader);
	*ret_sum = sum;
	return r;
}

int main(int argc, char **argv)
{
	uint64_t n = 5000000, sum = 0;
	struct err err = { 0 };
	double start, written, read;
	int fd, keep;

	if (argc > 1 && parse_u64(argv[1], &n))
		return 2;
	fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
		      : memfd_create("bench", MFD_CLOEXEC);
	keep = dup(fd);
	start = cpu_now();
	if (fd < 0 || write_all(fd, n, &err) < 0)
		goto failed;
	written = cpu_now();
	lseek(keep, 0, SEEK_SET);
	if (read_all(keep, &sum, &err) < 0 || sum != n * (n - 1) / 2)
		goto failed;
	read = cpu_now();
	printf("{\"bench\":\"record_file\",\"records\":%llu,\"bytes\":150,\"write_per_s\":%.0f,"
	       "\"read_per_s\":%.0f}\n",
	       (unsigned long long)n, (double)n / (written - start), (double)n / (read - written));
	return 0;
failed:
	fprintf(stderr, "bench_record: %s\n", err.text[0] ? err.text : strerror(errno));
	return 1;
}
