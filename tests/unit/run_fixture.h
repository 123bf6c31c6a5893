/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of gadgets that run: the sample gadgets loaded into this kernel, events by this process
 * and others, and what was read.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gadget/run.h"

static inline void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%d: %s", rc, err->text);
}

/* The sample gadgets lie beside the test programs, in the same build. */
static inline void read_sample(const char *name, struct buf *ret)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	_cleanup_(freep) char *path = xasprintf("%s/../gadgets/%s.bpf.o", dirname(self), name);
	buf_init(ret, 1 << 20);
	if (buf_read_file(ret, AT_FDCWD, path))
		fail_msg("cannot read %s", path);
}

static inline struct gadget *open_sample(const char *name)
{
	_cleanup_(buf_done) struct buf elf;
	struct gadget *g = NULL;
	struct err err = {};

	read_sample(name, &elf);
	must(gadget_open_bytes(name, elf.data, elf.len, NULL, &g, &err), &err);
	return g;
}

/* Records of this process only, unless the test sets other filters. */
static inline struct gadget_load_options own_events(void)
{
	struct gadget_load_options o;

	gadget_load_options_init(&o);
	o.host = true;
	o.process.pid = getpid();
	return o;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline struct gadget *start(const char *name, const struct gadget_load_options *o)
{
	struct gadget *g = open_sample(name);
	struct err err = {};

	must(gadget_load(g, o, &err), &err);
	must(gadget_attach(g, &err), &err);
	return g;
}

static inline void make_events(size_t n)
{
	while (n--)
		syscall(SYS_getppid);
}

/* ---- what was read ----------------------------------------------------------------------- */

struct reading {
	const struct schema *schema;
	size_t n;
	uint64_t sum, container;
	int64_t last;
	uint64_t last_time;
	const char *sum_field;
	int64_t find_pid; /* rows with this proc.pid are counted */
	size_t found;
};

static inline int64_t number(const struct reading *r, const char *field, const void *record,
			     uint32_t size)
{
	const struct field *f = schema_field(r->schema, field);
	struct row row = {.part = {record}, .size = {size}};
	int64_t value = 0;

	assert_non_null(f);
	assert_true(row_number(&row, f, &value));
	return value;
}

static inline void note(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct reading *r = ctx;
	struct row row = {.part = {record}, .size = {size}};

	assert_int_equal(source, 0);
	assert_true(size >= r->schema->record_size);
	r->n++;
	r->container = number(r, r->schema->fields[r->schema->container_field].name, record, size);
	if (r->sum_field)
		r->sum += r->last = number(r, r->sum_field, record, size);
	if (r->find_pid && number(r, "proc.pid", record, size) == r->find_pid)
		r->found++;
	r->last_time = row_time(r->schema, &row);
}

static inline struct reading reading(const struct gadget *g, const char *sum_field)
{
	return (struct reading){.schema = gadget_source(g, 0)->schema, .sum_field = sum_field};
}

static inline pid_t hammer(const char *name, size_t events)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody stopped */
		raise(SIGSTOP);
		make_events(events);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

/* Lets them go; calls `meanwhile` until all have ended. */
static inline void run_hammers(const pid_t *pids, size_t n, void (*meanwhile)(void *ctx), void *ctx)
{
	for (size_t i = 0; i < n; i++)
		kill(pids[i], SIGCONT);
	for (size_t left = n; left;) {
		meanwhile(ctx);
		for (size_t i = 0; i < n; i++)
			left -= waitpid(pids[i], NULL, WNOHANG) == pids[i];
	}
}

struct reader {
	struct gadget *g;
	struct reading r;
	size_t reads;
};

static inline void collect_into(void *ctx)
{
	struct reader *reader = ctx;
	struct err err = {};

	must(gadget_collect(reader->g, 0, NULL, note, &reader->r, &err), &err);
	reader->reads++;
}

static inline int needs_root(void **state)
{
	int fd = geteuid() ? -EPERM : bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);

	if (fd < 0) {
		print_error("this test needs root and a kernel that allows BPF (%s)\n",
			    strerror(-fd));
		return -1;
	}
	close(fd);
	return 0;
}
