// SPDX-License-Identifier: Apache-2.0
/*
 * Record files: writes and reads N records (default 5 M) as opens of files give them, to and from
 * FILE (default: memory), and prints one line of JSON: CPU time for a record, so that a busy
 * machine does not disturb, and its bytes in the file.
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

/* An open: what changes with each, what a process has in common, and a path. */
struct sample {
	g_time timestamp;
	g_container container;
	uint32_t pid, tid, uid, gid;
	char comm[16];
	int32_t error, fd;
	uint32_t flags, mode;
	g_text path;
	char tail[120];
};

#define BASE_BYTES offsetof(struct sample, tail)

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct schema *sample_schema(struct err *err)
{
#define SAMPLE_FIELD(n, t, k)                                                           \
	{                                                                               \
		.name = #n, .type = t, .kind = k, .offset = offsetof(struct sample, n), \
		.size = sizeof(((struct sample *)0)->n)                                 \
	}
	static const struct field fields[] = {
		SAMPLE_FIELD(timestamp, "g_time", KIND_UINT),
		SAMPLE_FIELD(container, "g_container", KIND_UINT),
		SAMPLE_FIELD(pid, "g_pid", KIND_UINT),
		SAMPLE_FIELD(comm, "g_comm", KIND_CHARS),
		SAMPLE_FIELD(error, "g_errno", KIND_INT),
		SAMPLE_FIELD(path, "g_text", KIND_TEXT),
	};
	struct schema *s = schema_new("bench", "bench", BASE_BYTES);

	if (schema_add_table(s, fields, array_size(fields), err) < 0 || schema_finish(s, err) < 0)
		return schema_unref(s);
	return s;
}

/* The n-th open: of eight processes, one in five of a path that none has had. Returns its bytes. */
static uint32_t make_sample(uint64_t n, struct sample *to)
{
	static const char *const paths[] = {
		"/etc/ld.so.cache",  "/lib/x86_64-linux-gnu/libc.so.6",
		"/proc/self/status", "/usr/share/zoneinfo/Europe/Berlin",
		"/etc/passwd",
	};
	uint32_t process = (uint32_t)(n / 40 % 8), length;

	memset(to, 0, BASE_BYTES);
	to->timestamp = n;
	to->container = 1ull << 32 | 1;
	to->pid = to->tid = 40000 + (uint32_t)(n / 320) * 8 + process;
	snprintf(to->comm, sizeof(to->comm), "worker-%u", process);
	to->error = n % 7 ? 0 : -2;
	to->fd = to->error ? -1 : (int32_t)(n % 13);
	to->flags = 02000000;
	length = (uint32_t)(n % 5 ? snprintf(to->tail, sizeof(to->tail), "%s", paths[n % 5])
				  : snprintf(to->tail, sizeof(to->tail),
					     "/var/lib/app/cache/%016llx/item",
					     (unsigned long long)(n * 0x9e3779b97f4a7c15)));
	to->path = (g_text){BASE_BYTES, length};
	return (uint32_t)BASE_BYTES + length;
}

enum { SAMPLES = 1 << 16 }; /* made before the time is taken; then only their times change */

static int write_all(int fd, uint64_t n, const struct sample *samples, const uint32_t *sizes,
		     struct err *err)
{
	struct clock_base clock = {0};
	struct container *c = container_new();
	struct schema *s = sample_schema(err);
	struct record_writer *w;
	unsigned int source;
	int r;

	c->key = 1ull << 32 | 1;
	c->name = xstrdup("bench");
	r = record_writer_new(fd, &clock, &w, err);
	if (r < 0)
		return r;
	r = record_writer_source(w, s, SOURCE_TRACER, &source, err);
	for (uint64_t i = 0; r >= 0 && i < n; i++) {
		struct sample sample;
		struct row row = {.part = {&sample, c}, .size = {sizes[i % SAMPLES], sizeof(*c)}};

		memcpy(&sample, &samples[i % SAMPLES], sizes[i % SAMPLES]);
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
	struct sample *samples = xnew_n(struct sample, SAMPLES);
	uint32_t *sizes = xnew_n(uint32_t, SAMPLES);
	uint64_t n = 5000000, sum = 0, bytes = 0;
	struct err err = {0};
	double start, written, read;
	int fd, keep;

	if (argc > 1 && parse_u64(argv[1], &n))
		return 2;
	for (uint64_t i = 0; i < SAMPLES; i++)
		bytes += sizes[i] = make_sample(i, &samples[i]);
	fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
		      : memfd_create("bench", MFD_CLOEXEC);
	keep = dup(fd);
	start = cpu_now();
	if (fd < 0 || write_all(fd, n, samples, sizes, &err) < 0)
		goto failed;
	written = cpu_now();
	lseek(keep, 0, SEEK_SET);
	if (read_all(dup(keep), &sum, &err) < 0 || sum != n * (n - 1) / 2)
		goto failed;
	read = cpu_now();
	printf("{\"bench\":\"record_file\",\"records\":%llu,\"record_bytes\":%.1f,"
	       "\"write_ns\":%.1f,\"read_ns\":%.1f,\"file_bytes\":%.2f}\n",
	       (unsigned long long)n, (double)bytes / SAMPLES, 1e9 * (written - start) / (double)n,
	       1e9 * (read - written) / (double)n, (double)lseek(keep, 0, SEEK_END) / (double)n);
	free(samples);
	free(sizes);
	return 0;
failed:
	fprintf(stderr, "bench_record: %s\n", err.text[0] ? err.text : strerror(errno));
	return 1;
}
