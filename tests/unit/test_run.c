// SPDX-License-Identifier: Apache-2.0
/*
 * Gadgets that run: real programs in this kernel, real events, exact numbers. Needs root and BPF;
 * without them it fails, because nothing was tested then.
 */
#include <poll.h>
#include <sys/stat.h>

#include "run_fixture.h"

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
