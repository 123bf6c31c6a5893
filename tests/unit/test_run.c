// SPDX-License-Identifier: Apache-2.0
/*
 * Gadgets that run: real programs in this kernel, real events, exact numbers. Needs root and BPF;
 * without them it fails, because nothing was tested then.
 */
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

static void must(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%d: %s", rc, err->text);
}

/* The sample gadgets lie beside the test programs, in the same build. */
static void read_sample(const char *name, struct buf *ret)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	_cleanup_(freep) char *path = xasprintf("%s/../gadgets/%s.bpf.o", dirname(self), name);
	buf_init(ret, 1 << 20);
	if (buf_read_file(ret, AT_FDCWD, path))
		fail_msg("cannot read %s", path);
}

static struct gadget *open_sample(const char *name)
{
	_cleanup_(buf_done) struct buf elf;
	struct gadget *g = NULL;
	struct err err = {};

	read_sample(name, &elf);
	must(gadget_open_bytes(name, elf.data, elf.len, NULL, &g, &err), &err);
	return g;
}

/* Records of this process only, unless the test sets other filters. */
static struct gadget_load_options own_events(void)
{
	struct gadget_load_options o;

	gadget_load_options_init(&o);
	o.host = true;
	o.process.pid = getpid();
	return o;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static struct gadget *start(const char *name, const struct gadget_load_options *o)
{
	struct gadget *g = open_sample(name);
	struct err err = {};

	must(gadget_load(g, o, &err), &err);
	must(gadget_attach(g, &err), &err);
	return g;
}

static void make_events(size_t n)
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

static int64_t number(const struct reading *r, const char *field, const void *record, uint32_t size)
{
	const struct field *f = schema_field(r->schema, field);
	struct row row = { .part = { record }, .size = { size } };
	int64_t value = 0;

	assert_non_null(f);
	assert_true(row_number(&row, f, &value));
	return value;
}

static void note(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct reading *r = ctx;
	struct row row = { .part = { record }, .size = { size } };

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

static struct reading reading(const struct gadget *g, const char *sum_field)
{
	return (struct reading){ .schema = gadget_source(g, 0)->schema, .sum_field = sum_field };
}

/* ---- tracer ------------------------------------------------------------------------------ */

static void test_every_event(void **state)
{
	struct gadget_load_options o = own_events();
	struct gadget *g = start("sample_tracer", &o);
	struct reading r = reading(g, "proc.pid");
	struct timespec now;

	make_events(1000);
	assert_int_equal(gadget_read(g, 0, note, &r), 1000);
	assert_int_equal(r.n, 1000);
	assert_int_equal(r.sum, 1000ul * getpid());
	clock_gettime(CLOCK_BOOTTIME, &now);
	assert_in_range(r.last_time, (now.tv_sec - 5) * 1000000000ul,
			now.tv_sec * 1000000000ul + now.tv_nsec);
	assert_int_equal(gadget_counters(g, 0).seen, 1000);
	assert_int_equal(gadget_counters(g, 0).lost, 0);

	make_events(10);
	assert_int_equal(gadget_read(g, 4, note, &r), 4);
	assert_int_equal(gadget_read(g, 0, note, &r), 6);
	gadget_counters_reset(g, 0);
	make_events(3);
	assert_int_equal(gadget_counters(g, 0).seen, 3);

	gadget_detach(g);
	make_events(100);
	assert_int_equal(gadget_counters(g, 0).seen, 3);
	assert_int_equal(gadget_read(g, 0, note, &r), 3);
	assert_int_equal(gadget_misses(g), 0);
	assert_in_range(gadget_map_bytes(g), 1 << 20, 8 << 20);
	gadget_free(g);
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Not for each record: for every 64 KiB. */
static void test_wake_ups(void **state)
{
	struct gadget_load_options o = own_events();
	struct gadget *g = start("sample_tracer", &o);
	struct reading r = reading(g, NULL);

	make_events(20);
	assert_false(readable(gadget_fd(g), 20));
	make_events(1000); /* some 300 bytes each */
	assert_true(readable(gadget_fd(g), 0));
	assert_int_equal(gadget_read(g, 0, note, &r), 1020);
	assert_false(readable(gadget_fd(g), 20));
	gadget_free(g);
}

static void test_parameters(void **state)
{
	struct gadget_load_options o = own_events();
	struct gadget *g = open_sample("sample_tracer");
	struct reading small = reading(g, "number"), color = reading(g, "color");
	struct err err = {};

	must(gadget_set(g, "small", "200", &err), &err);
	must(gadget_set(g, "failed", "true", &err), &err);
	must(gadget_load(g, &o, &err), &err);
	must(gadget_attach(g, &err), &err);
	make_events(1);
	assert_int_equal(gadget_read(g, 1, note, &small), 1);
	assert_int_equal(small.sum, 200);
	make_events(1);
	assert_int_equal(gadget_read(g, 1, note, &color), 1);
	assert_int_equal(color.sum, 2);
	gadget_free(g);
}

static void test_process_filters(void **state)
{
	static const struct {
		struct gadget_process_filter f;
		size_t n;
	} rows[] = {
		{ { .pid = -1, .tid = -1, .uid = -1, .gid = -1, .comm = "ig-test-run" }, 7 },
		{ { .pid = -1, .tid = -1, .uid = -1, .gid = -1, .comm = "ig-test-ru" }, 0 },
		{ { .pid = -1, .tid = -1, .uid = 0, .gid = 0, .comm = "ig-test-run" }, 7 },
		{ { .pid = -1, .tid = -1, .uid = 1, .gid = -1, .comm = "ig-test-run" }, 0 },
		{ { .pid = -1, .tid = -1, .uid = -1, .gid = 1, .comm = "ig-test-run" }, 0 },
		{ { .pid = 1, .tid = -1, .uid = -1, .gid = -1, .comm = "ig-test-run" }, 0 },
		{ { .pid = -1, .tid = 1, .uid = -1, .gid = -1, .comm = "ig-test-run" }, 0 },
	};
	char before[16] = "";

	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, "ig-test-run");
	for (size_t i = 0; i < array_size(rows); i++) {
		struct gadget_load_options o = own_events();
		struct reading r;

		o.process = rows[i].f;
		struct gadget *g = start("sample_tracer", &o);
		r = reading(g, NULL);
		make_events(7);
		assert_int_equal(gadget_read(g, 0, note, &r), rows[i].n);
		gadget_free(g);
	}
	prctl(PR_SET_NAME, before);
}

/* ---- containers -------------------------------------------------------------------------- */

/* Our cgroup's id is the inode number of its directory. */
static uint64_t own_cgroup(void)
{
	static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
	_cleanup_(buf_done) struct buf b;
	struct stat st;

	buf_init(&b, 65536);
	assert_int_equal(buf_read_file(&b, AT_FDCWD, "/proc/self/cgroup"), 0);
	char *line = strncmp(b.data, "0::", 3) ? strstr(b.data, "\n0::") : b.data - 1;
	assert_non_null(line);
	line += 4;
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < array_size(mounts); i++) {
		_cleanup_(freep) char *procs =
			xasprintf("%s%s/cgroup.controllers", mounts[i], line);
		_cleanup_(freep) char *path = xasprintf("%s%s", mounts[i], line);

		if (!access(procs, F_OK) && !stat(path, &st))
			return st.st_ino;
	}
	fail_msg("no cgroup v2");
	return 0;
}

static void test_wanted_only(void **state)
{
	struct gadget_load_options o = own_events();
	struct reading r;
	uint64_t cgroup = own_cgroup(), container = 7ull << 32 | 5;

	o.host = false;
	struct gadget *g = start("sample_tracer", &o);
	r = reading(g, NULL);
	make_events(50);
	assert_int_equal(gadget_read(g, 0, note, &r), 0);
	assert_int_equal(gadget_counters(g, 0).seen, 0);

	assert_int_equal(bpf_map_update_elem(gadget_wanted_fd(g), &cgroup, &container, BPF_ANY), 0);
	make_events(50);
	assert_int_equal(gadget_read(g, 0, note, &r), 50);
	assert_int_equal(r.container, container);
	assert_int_equal(gadget_counters(g, 5).seen, 50);
	assert_int_equal(gadget_counters(g, 0).seen, 0);

	/* A second gadget that shares the map follows the same containers. */
	o.wanted_fd = gadget_wanted_fd(g);
	struct gadget *second = start("sample_tracer", &o);
	make_events(2);
	assert_int_equal(gadget_read(second, 0, note, &r), 2);
	assert_int_equal(bpf_map_delete_elem(gadget_wanted_fd(g), &cgroup), 0);
	make_events(2);
	assert_int_equal(gadget_read(second, 0, note, &r), 0);
	gadget_free(second);
	gadget_free(g);
}

/* With --host, what all containers' map knows is not the host's. */
static void test_host_without_containers(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, flags, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_(closep) int all = bpf_map_create(BPF_MAP_TYPE_HASH, "all", 8, 8, 16, &flags);
	struct gadget_load_options o = own_events();
	uint64_t cgroup = own_cgroup(), container = 9;

	assert_true(all >= 0);
	o.containers_fd = all;
	struct gadget *g = start("sample_tracer", &o);
	struct reading r = reading(g, NULL);
	make_events(1);
	assert_int_equal(bpf_map_update_elem(all, &cgroup, &container, BPF_ANY), 0);
	make_events(1);
	assert_int_equal(gadget_read(g, 0, note, &r), 1);
	assert_int_equal(r.container, G_HOST);
	gadget_free(g);
}

/* ---- loss -------------------------------------------------------------------------------- */

static pid_t hammer(const char *name, size_t events)
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
static void run_hammers(const pid_t *pids, size_t n, void (*meanwhile)(void *ctx), void *ctx)
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

static void read_slowly(void *ctx)
{
	struct reader *reader = ctx;

	gadget_read(reader->g, 3, note, &reader->r);
	reader->reads++;
	usleep(100);
}

static void test_loss_is_exact(void **state)
{
	struct gadget_load_options o = own_events();
	enum { EVENTS = 50000 };

	o.process.pid = -1;
	memcpy(o.process.comm, "ig-hammer", sizeof("ig-hammer"));
	o.buffer_bytes = 1; /* the smallest that there is: one page */
	struct reader reader = { .g = start("sample_tracer", &o) };
	reader.r = reading(reader.g, NULL);
	pid_t pids[2] = { hammer("ig-hammer", EVENTS), hammer("ig-hammer", EVENTS) };
	uint64_t before = gadget_counters(reader.g, 0).seen;
	run_hammers(pids, array_size(pids), read_slowly, &reader);
	gadget_detach(reader.g);
	gadget_read(reader.g, 0, note, &reader.r);

	struct gadget_counters c = gadget_counters(reader.g, 0);
	assert_int_equal(c.seen + gadget_misses(reader.g), before + 2 * EVENTS);
	assert_int_equal(c.seen, reader.r.n + c.lost);
	assert_true(c.lost > 0);
	assert_true(reader.r.n > reader.reads / 2);
	gadget_free(reader.g);
}

static void nothing(void *ctx)
{
}

/* Two processes make events while the gadget is taken off: afterwards everything stands still. */
static void test_detach_under_fire(void **state)
{
	struct gadget_load_options o = own_events();
	uint64_t later = 0;

	o.process.pid = -1;
	memcpy(o.process.comm, "ig-hammer", sizeof("ig-hammer"));
	for (int round = 0; round < 5; round++) {
		/* Made first: a fork has copies of the links, which would keep the programs on. */
		pid_t pids[2] = { hammer("ig-hammer", 1 << 22), hammer("ig-hammer", 1 << 22) };
		struct gadget *g = start("sample_tracer", &o);
		struct reading r = reading(g, NULL);

		kill(pids[0], SIGCONT);
		kill(pids[1], SIGCONT);
		usleep(5000);
		gadget_detach(g);
		struct gadget_counters c = gadget_counters(g, 0);
		gadget_read(g, 0, note, &r);
		assert_int_equal(c.seen, r.n + c.lost);
		usleep(5000);
		assert_int_equal(gadget_counters(g, 0).seen, c.seen);
		assert_int_equal(gadget_read(g, 0, note, &r), 0);
		later += c.seen;
		kill(pids[0], SIGKILL);
		kill(pids[1], SIGKILL);
		run_hammers(pids, array_size(pids), nothing, NULL);
		gadget_free(g);
	}
	assert_true(later > 0);
}

/* ---- top --------------------------------------------------------------------------------- */

static void collect_into(void *ctx)
{
	struct reader *reader = ctx;
	struct err err = {};

	must(gadget_collect(reader->g, 0, NULL, note, &reader->r, &err), &err);
	reader->reads++;
}

/* The table is swapped again and again while two count: nothing is lost or counted twice. */
static void test_top_is_exact(void **state)
{
	struct gadget_load_options o = own_events();
	enum { EVENTS = 100000 };

	o.process.pid = -1;
	memcpy(o.process.comm, "ig-hammer", sizeof("ig-hammer"));
	struct reader reader = { .g = start("sample_top", &o) };
	reader.r = reading(reader.g, "calls");
	pid_t pids[2] = { hammer("ig-hammer", EVENTS), hammer("ig-hammer", EVENTS) };
	run_hammers(pids, array_size(pids), collect_into, &reader);
	gadget_detach(reader.g);
	collect_into(&reader);
	assert_int_equal(reader.r.sum, 2 * EVENTS);
	assert_true(reader.reads > 2);

	size_t rows = reader.r.n;
	collect_into(&reader);
	assert_int_equal(reader.r.n, rows); /* emptied */
	assert_int_equal(gadget_counters(reader.g, 0).seen, rows);
	assert_int_equal(gadget_counters(reader.g, 0).lost, 0);
	gadget_free(reader.g);
}

/* More keys than one batch takes. */
static void test_top_many_rows(void **state)
{
	struct gadget_load_options o = own_events();
	struct reader reader = { .g = start("sample_top", &o) };
	struct bpf_map *table = source_map(reader.g, 0, "_table_a");
	unsigned char key[256] = {}, value[256] = {};
	uint64_t one = 1;

	reader.r = reading(reader.g, "calls");
	gadget_detach(reader.g);
	assert_true(bpf_map__key_size(table) <= sizeof(key));
	memcpy(value, &one, sizeof(one));
	for (uint32_t i = 0; i < 1024; i++) {
		memcpy(key + sizeof(uint64_t), &i, sizeof(i));
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(table), key, value, BPF_ANY), 0);
	}
	collect_into(&reader);
	assert_int_equal(reader.r.n, 1024);
	assert_int_equal(reader.r.sum, 1024);
	collect_into(&reader);
	collect_into(&reader);
	assert_int_equal(reader.r.n, 1024);
	gadget_free(reader.g);
}

/* What is in a second: by how long the table was filled, the last one until the programs stopped. */
static void test_top_rates(void **state)
{
	struct gadget_load_options o = own_events();
	enum { CALLS = 1000, AT_LEAST_NS = 50000000 };
	uint64_t begin = now_ns();
	struct reader reader = { .g = start("sample_top", &o) };

	reader.r = reading(reader.g, "rate");
	for (int last = 0; last < 2; last++) {
		make_events(CALLS);
		usleep(AT_LEAST_NS / 1000);
		if (last)
			gadget_detach(reader.g);
		uint64_t most = now_ns() - begin;
		if (last)
			usleep(AT_LEAST_NS / 1000);
		collect_into(&reader);
		assert_in_range(reader.r.last, CALLS * 1000000000ull / (most + 1000000),
				CALLS * 1000000000ull / AT_LEAST_NS);
		begin = now_ns();
	}
	gadget_free(reader.g);
}

/* ---- snapshot ---------------------------------------------------------------------------- */

static void test_snapshot(void **state)
{
	struct gadget_load_options o = own_events();
	struct reader reader = {};
	pid_t child = hammer("ig-snapshot", 0);

	o.process.pid = -1; /* everybody */
	reader.g = start("sample_snapshot", &o);
	reader.r = reading(reader.g, NULL);
	reader.r.find_pid = child;
	collect_into(&reader);
	assert_int_equal(reader.r.found, 1);
	assert_true(reader.r.n > 10);
	assert_int_equal(gadget_counters(reader.g, 0).seen, reader.r.n);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	collect_into(&reader);
	assert_int_equal(reader.r.found, 1);
	gadget_free(reader.g);
}

/* What a first look finds is dropped, and counted by nobody; the program knows that it was one. */
static void test_sample(void **state)
{
	struct gadget_load_options o = own_events();
	struct err err = {};

	struct reader reader = { .g = start("sample_periodic", &o) };
	reader.r = reading(reader.g, "look");
	for (int i = 0; i < 2; i++) {
		must(gadget_collect(reader.g, 0, NULL, NULL, NULL, &err), &err);
		assert_int_equal(gadget_counters(reader.g, 0).seen, 0);
	}
	for (int look = 2; look < 4; look++) {
		collect_into(&reader);
		assert_int_equal(reader.r.last, look);
		assert_int_equal(reader.r.n, gadget_counters(reader.g, 0).seen);
		assert_true(reader.r.n > 0);
	}
	gadget_free(reader.g);
}

/* ---- hooks ------------------------------------------------------------------------------- */

enum { OF_RUNG = 2, OF_EXIT = 4 };

static void test_ladder_optional_twins(void **state)
{
	struct gadget_load_options o = own_events();
	struct gadget *g = start("sample_hooks", &o);
	struct reading programs = reading(g, "program"), kept = reading(g, "kept");

	/* rung_good and the two exits, which are one program. */
	assert_int_equal(g->run->n_programs, 3);
	assert_true(g->run->programs[2].twin);
	syscall(SYS_getpgid, 0); /* nothing was kept: no record */
	make_events(1);
	assert_int_equal(gadget_read(g, 0, note, &programs), 2);
	assert_int_equal(programs.sum, OF_RUNG + OF_EXIT);
	make_events(1);
	assert_int_equal(gadget_read(g, 0, note, &kept), 2);
	assert_int_equal(kept.last, 2); /* the second call of this task */
	gadget_free(g);
}

static void replace_all(struct buf *b, const char *from, const char *to)
{
	size_t n = strlen(from), found = 0;

	assert_int_equal(n, strlen(to));
	for (char *p = b->data; (p = memmem(p, b->data + b->len - p, from, n)); p += n, found++)
		memcpy(p, to, n);
	assert_true(found > 0);
}

static int load_changed(const char *name, const char *from, const char *to, struct err *err)
{
	_cleanup_(buf_done) struct buf elf;
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct gadget_load_options o = own_events();

	read_sample(name, &elf);
	if (from)
		replace_all(&elf, from, to);
	must(gadget_open_bytes(name, elf.data, elf.len, NULL, &g, err), err);
	return gadget_load(g, &o, err);
}

static void test_missing_hook(void **state)
{
	struct err err = {};

	assert_int_equal(load_changed("sample_tracer", "tp/syscalls/sys_enter_getppid",
				      "tp/syscalls/sys_enter_get_cup", &err),
			 -ENOTSUP);
	assert_string_equal(err.text, "sample_tracer needs tracepoint syscalls/sys_enter_get_cup, "
				      "which this kernel lacks");
}

static void test_missing_rung(void **state)
{
	struct err err = {};

	/* Rung 3 is left: it is taken, and the gadget loads. */
	assert_int_equal(load_changed("sample_hooks", "tp/syscalls/sys_enter_getppid",
				      "tp/syscalls/sys_enter_get_cup", &err),
			 0);
	assert_int_equal(load_changed("sample_hooks", "sys_enter_getp", "sys_enter_g__p", &err), 0);
}

static void test_refused_by_verifier(void **state)
{
	struct err err = {};

	assert_int_equal(load_changed("sample_refused", NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "verifier refused program careless: "));
	assert_non_null(strstr(err.text, "map_value_or_null"));
	assert_null(strchr(err.text, '\n'));
}

static void test_not_root(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct gadget *g = open_sample("sample_tracer");
		struct gadget_load_options o = own_events();
		struct err err = {};

		_exit(setgid(65534) || setuid(65534) || gadget_load(g, &o, &err) != -EPERM ||
		      !strstr(err.text, "root"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- nothing is left --------------------------------------------------------------------- */

struct ids {
	uint32_t program[16], link[16], map[32];
	uint32_t n_programs, n_links, n_maps;
};

static uint32_t id_of(int fd)
{
	union {
		struct bpf_prog_info prog;
		struct bpf_map_info map;
		struct bpf_link_info link;
		uint32_t words[2];
	} info = {};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.words[1]; /* type, id: in all three */
}

static void collect_ids(const struct gadget *g, struct ids *ids)
{
	struct bpf_map *m;

	for (size_t i = 0; i < g->run->n_programs; i++) {
		const struct program *p = &g->run->programs[i];

		ids->program[ids->n_programs++] = id_of(bpf_program__fd(p->prog));
		if (p->link)
			ids->link[ids->n_links++] = id_of(bpf_link__fd(p->link));
	}
	bpf_object__for_each_map(m, g->run->object) {
		if (bpf_map__fd(m) >= 0)
			ids->map[ids->n_maps++] = id_of(bpf_map__fd(m));
	}
}

static size_t alive(const uint32_t *ids, size_t n, int (*get)(uint32_t id))
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_(closep) int fd = get(ids[i]);

		count += fd >= 0;
	}
	return count;
}

static size_t all_alive(const struct ids *ids)
{
	return alive(ids->program, ids->n_programs, bpf_prog_get_fd_by_id) +
	       alive(ids->map, ids->n_maps, bpf_map_get_fd_by_id) +
	       alive(ids->link, ids->n_links, bpf_link_get_fd_by_id);
}

/* The kernel frees after grace periods: soon, not at once. */
static void assert_gone(const struct ids *ids)
{
	for (int i = 0; i < 100 && all_alive(ids); i++)
		usleep(50000);
	assert_int_equal(all_alive(ids), 0);
}

static void test_nothing_left_after_free(void **state)
{
	struct gadget_load_options o = own_events();
	struct gadget *g = start("sample_hooks", &o);
	struct ids ids = {};

	collect_ids(g, &ids);
	assert_true(ids.n_links == 3 && ids.n_maps > 4);
	assert_int_equal(all_alive(&ids), ids.n_programs + ids.n_links + ids.n_maps);
	gadget_free(g);
	assert_gone(&ids);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1); /* no child of ours is left */
	assert_int_equal(errno, ECHILD);
}

static void test_nothing_left_after_kill(void **state)
{
	struct ids ids = {};
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (!pid) {
		struct gadget_load_options o = own_events();
		struct gadget *g = start("sample_tracer", &o);

		collect_ids(g, &ids);
		if (write(pipes[1], &ids, sizeof(ids)) != sizeof(ids))
			_exit(1);
		pause();
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &ids, sizeof(ids)), sizeof(ids));
	close(pipes[0]);
	assert_true(all_alive(&ids) > 4);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_gone(&ids);
}

static int needs_root(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event),
		cmocka_unit_test(test_wake_ups),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_process_filters),
		cmocka_unit_test(test_wanted_only),
		cmocka_unit_test(test_host_without_containers),
		cmocka_unit_test(test_loss_is_exact),
		cmocka_unit_test(test_detach_under_fire),
		cmocka_unit_test(test_top_is_exact),
		cmocka_unit_test(test_top_many_rows), cmocka_unit_test(test_top_rates),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_ladder_optional_twins),
		cmocka_unit_test(test_missing_hook),
		cmocka_unit_test(test_missing_rung),
		cmocka_unit_test(test_refused_by_verifier),
		cmocka_unit_test(test_not_root),
		cmocka_unit_test(test_nothing_left_after_free),
		cmocka_unit_test(test_nothing_left_after_kill),
	};

	return cmocka_run_group_tests(tests, needs_root, NULL);
}
