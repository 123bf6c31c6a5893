// SPDX-License-Identifier: Apache-2.0
/*
 * The detector and the collection against processes that this test makes as a runtime would: a
 * cgroup of their own, new namespaces, exec. Needs root, BPF and a cgroup v2 mount, and fails
 * without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "containers/internal.h"
#include "containers/proc.h"

#define QUICK 200 /* containers that end at once, one after another */

/* ---- cgroups --------------------------------------------------------------------- */

static char *cgroup_root; /* where cgroup v2 is mounted */

static int find_cgroup_root(void **state)
{
	_cleanup_(buf_done) struct buf b = { .max = MAX_PROC_FILE_BYTES };

	if (buf_read_file(&b, AT_FDCWD, "/proc/self/mountinfo"))
		return -1;
	cgroup_root = proc_parse_cgroup2_mount(buf_cstr(&b));
	return cgroup_root ? 0 : -1;
}

static int free_cgroup_root(void **state)
{
	free(cgroup_root);
	return 0;
}

static char *cgroup_name(const char *what)
{
	return xasprintf("/ig-test-%d-%s", getpid(), what);
}

static uint64_t make_cgroup(const char *path)
{
	_cleanup_(freep) char *dir = xasprintf("%s%s", cgroup_root, path);
	struct stat st;

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(stat(dir, &st), 0);
	return st.st_ino;
}

static void remove_cgroup(const char *path)
{
	_cleanup_(freep) char *dir = xasprintf("%s%s", cgroup_root, path);

	for (int i = 0; rmdir(dir) && i < 200;
	     i++) /* its last process may still be on its way out */
		usleep(5000);
	assert_int_equal(access(dir, F_OK), -1);
}

static void move(pid_t pid, const char *path)
{
	_cleanup_(freep) char *file = xasprintf("%s%s/cgroup.procs", cgroup_root, path);
	FILE *f = fopen(file, "we");

	if (!f || fprintf(f, "%d", pid) < 0 || fclose(f))
		_exit(97);
}

/* ---- a runtime ------------------------------------------------------------------- */

struct made {
	const char *cgroup;	    /* of the first process; "" is the root */
	const char *runtime_cgroup; /* of the runtime; NULL: it stays where it is */
	int namespaces;		    /* CLONE_NEW… */
	const char *program;	    /* NULL: this one, which waits until it is told to end */
	pid_t runtime, pid;
	int to, from; /* the first process ends when `to` is closed, and has started when `from`
			 gives a byte */
};

#define CONTAINER (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)

/* What the first process of a container does: says that it runs, then waits. */
static int wait_program(void)
{
	char c;

	return write(STDOUT_FILENO, "", 1) != 1 || read(STDIN_FILENO, &c, 1) != 0;
}

static void run_first(const struct made *m, int go)
{
	char c;

	if (read(go, &c, 1) != 1) /* until it is in its cgroup */
		_exit(98);
	if (m->program)
		execl(m->program, m->program, NULL);
	else
		execl("/proc/self/exe", "test_detector", "wait", NULL);
	_exit(99);
}

static void run_runtime(const struct made *m, int pid_fd)
{
	int go[2], status;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) || unshare(m->namespaces))
		_exit(96);
	pid = fork();
	if (!pid)
		run_first(m, go[0]);
	if (m->cgroup)
		move(pid, m->cgroup);
	if (m->runtime_cgroup)
		move(getpid(), m->runtime_cgroup);
	if (write(pid_fd, &pid, sizeof(pid)) != sizeof(pid) || write(go[1], "", 1) != 1)
		_exit(95);
	waitpid(pid, &status, 0);
	_exit(0);
}

/* Returns when the first process has run its exec (or, with a program of its own, is about to). */
static void start(struct made *m)
{
	int to[2], from[2], pid_pipe[2];
	char c;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(pipe2(pid_pipe, O_CLOEXEC), 0);
	m->runtime = fork();
	assert_true(m->runtime >= 0);
	if (!m->runtime) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(pid_pipe[1], 3);
		close_range(4, ~0u,
			    0); /* who holds the other ends would keep them from being closed */
		run_runtime(m, 3);
	}
	close(to[0]);
	close(from[1]);
	close(pid_pipe[1]);
	m->to = to[1];
	m->from = from[0];
	assert_int_equal(read(pid_pipe[0], &m->pid, sizeof(m->pid)), sizeof(m->pid));
	close(pid_pipe[0]);
	if (!m->program)
		assert_int_equal(read(m->from, &c, 1), 1);
}

static void end(struct made *m)
{
	int status;

	close(m->to);
	close(m->from);
	assert_int_equal(waitpid(m->runtime, &status, 0), m->runtime);
	assert_int_equal(status, 0);
}

/* ---- what the collection tells --------------------------------------------------- */

struct seen {
	unsigned int added, removed;
	struct container *container; /* the last one added; a reference */
	const char *prefix;	     /* of the cgroup's path; NULL: by pid */
	uint32_t pid;
};

struct fixture {
	struct containers *cs;
	int wanted; /* as a tracer's that follows everything */
	struct seen seen;
};

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct fixture *f = ctx;
	struct seen *s = &f->seen;

	/* There may be others on this machine. */
	if (s->prefix ? !c->cgroup_path || strncmp(c->cgroup_path, s->prefix, strlen(s->prefix))
		      : c->pid != s->pid)
		return;
	if (event == CONTAINER_REMOVED)
		s->removed++;
	if (event == CONTAINER_FOUND || event == CONTAINER_ADDED)
		containers_map_add(f->cs, f->wanted, c);
	if (event != CONTAINER_ADDED)
		return;
	s->added++;
	container_unref(s->container);
	s->container = container_ref(c);
}

/* Until all names are known. */
static void settle(struct fixture *f)
{
	struct pollfd p = { .fd = containers_fd(f->cs), .events = POLLIN };

	do {
		containers_dispatch(f->cs);
	} while (containers_pending(f->cs) && poll(&p, 1, 5000) >= 0);
}

static struct fixture *fixture_new(const char *const *runc_roots, const char *prefix)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	struct containers_options co = { .runc_roots = runc_roots };
	struct fixture *f = xnew(struct fixture);
	struct err err = {0};

	f->seen.prefix = prefix;
	if (containers_new(&co, &f->cs, &err))
		fail_msg("%s", err.text);
	f->wanted = bpf_map_create(BPF_MAP_TYPE_HASH, "g_wanted", 8, 8, MAX_CGROUPS, &o);
	assert_true(f->wanted >= 0);
	assert_int_equal(containers_attach_map(f->cs, f->wanted, NULL), 0);
	containers_subscribe(f->cs, on_event, f);
	if (containers_start(f->cs, &err))
		fail_msg("%s", err.text);
	settle(f);
	return f;
}

static void fixture_free(struct fixture *f)
{
	container_unref(f->seen.container);
	containers_detach_map(f->cs, f->wanted);
	containers_free(f->cs);
	close(f->wanted);
	free(f);
}

static bool has(int fd, uint64_t id)
{
	uint64_t value;

	return !bpf_map_lookup_elem(fd, &id, &value);
}

static uint64_t namespace_of(pid_t pid, const char *name)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t inum;

	assert_int_equal(proc_namespace(proc, (uint32_t)pid, name, &inum), 0);
	return inum | G_NAMESPACE_KEY;
}

/* ---- tests ----------------------------------------------------------------------- */

static void test_life(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("life");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct container *c;
	struct pollfd p = { .fd = containers_fd(f->cs), .events = POLLIN };

	start(&m);
	/* It runs, and nothing was read yet: it was the kernel side that put it there. */
	assert_true(has(f->wanted, id));
	assert_int_equal(f->seen.added, 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	c = f->seen.container;
	assert_string_equal(c->id, name + 1);
	assert_string_equal(c->name, name + 1);
	assert_int_equal(c->pid, m.pid);
	assert_int_equal(c->cgroup_id, id);
	assert_int_equal(c->mntns | G_NAMESPACE_KEY, namespace_of(m.pid, "mnt"));
	assert_int_equal(c->netns | G_NAMESPACE_KEY, namespace_of(m.pid, "net"));
	assert_false(c->by_namespace);
	assert_ptr_equal(containers_find(f->cs, c->key), c);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	assert_true(c->ended && c->ended_boot_ns > c->started_boot_ns);
	remove_cgroup(name);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	/* Its last records may not be read yet. */
	assert_ptr_equal(containers_find(f->cs, c->key), c);
	assert_true(has(f->wanted, id));
	containers_forget(f->cs, c);
	assert_null(containers_find(f->cs, c->key));
	assert_false(has(f->wanted, id));
	assert_false(has(containers_all_fd(f->cs), id));
	fixture_free(f);
}

static void test_children(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("children"),
			      *before = xasprintf("%s/before", name);
	_cleanup_(freep) char *child = xasprintf("%s/child", name),
			      *below = xasprintf("%s/below", child);
	uint64_t id = make_cgroup(name), id_before, id_child, id_below;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct fixture *f;

	start(&m);
	id_before = make_cgroup(before);
	f = fixture_new(NULL, name); /* finds it running */
	assert_int_equal(f->seen.added, 1);
	assert_int_equal(f->seen.container->pid, m.pid);
	assert_true(has(f->wanted, id) && has(f->wanted, id_before));
	id_child = make_cgroup(child);
	id_below = make_cgroup(below);
	assert_true(has(f->wanted, id_child) && has(f->wanted, id_below)); /* by the kernel side */
	containers_map_remove(f->cs, f->wanted, f->seen.container);	   /* which tells us late */
	containers_dispatch(f->cs);
	assert_false(has(f->wanted, id) || has(f->wanted, id_child) || has(f->wanted, id_below));
	containers_map_add(f->cs, f->wanted, f->seen.container);
	assert_true(has(f->wanted, id) && has(f->wanted, id_child) && has(f->wanted, id_below));
	remove_cgroup(below);
	assert_false(has(f->wanted, id_below) || has(containers_all_fd(f->cs), id_below));
	end(&m);
	remove_cgroup(child);
	remove_cgroup(before);
	remove_cgroup(name);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_int_equal(f->seen.removed, 1);
	fixture_free(f);
}

/* In the root cgroup, as containers are that use cgroup v1 only. */
static void test_shared_cgroup(void **state)
{
	_cleanup_(freep) char *elsewhere = cgroup_name("elsewhere");
	struct fixture *f = fixture_new(NULL, NULL);
	struct made m = { .cgroup = "", .runtime_cgroup = elsewhere, .namespaces = CONTAINER };
	uint64_t mntns, netns, value, root = 1;

	make_cgroup(elsewhere);
	start(&m);
	f->seen.pid = (uint32_t)m.pid;
	mntns = namespace_of(m.pid, "mnt");
	netns = namespace_of(m.pid, "net");
	assert_true(has(f->wanted, mntns) && has(f->wanted, netns));
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &root, &value), 0);
	assert_true(value == G_BY_NAMESPACE);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_true(f->seen.container->by_namespace);
	end(&m);
	/* These numbers are given to others at once: gone before anything was read. */
	assert_false(has(f->wanted, mntns) || has(f->wanted, netns));
	assert_false(has(containers_all_fd(f->cs), mntns) || has(containers_all_fd(f->cs), netns));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(elsewhere);
	fixture_free(f);
}

/* Other namespaces, but no cgroup: somebody tries unshare(1). */
static void test_no_cgroup(void **state)
{
	struct fixture *f = fixture_new(NULL, NULL);
	struct made m = { .namespaces = CONTAINER };

	start(&m);
	f->seen.pid = (uint32_t)m.pid;
	assert_false(has(f->wanted, namespace_of(m.pid, "mnt")));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 0);
	end(&m);
	fixture_free(f);
}

static void write_state(const char *root, const char *id, pid_t pid)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(freep) char *dir = xasprintf("%s/%s", root, id),
			      *path = xasprintf("%s/state.json", dir);
	struct proc_stat stat;
	FILE *f;

	assert_int_equal(proc_stat(proc, (uint32_t)pid, &stat), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "{\"id\":\"%s\",\"init_process_pid\":%d,\"init_process_start\":%llu}", id, pid,
		(unsigned long long)stat.start_ticks);
	fclose(f);
}

/* Without a pid namespace of its own: a container if a runtime says so, else a service with private
 * mounts. */
static void test_host_pid(void **state)
{
	char root[] = "/tmp/ig-test-XXXXXX";
	const char *const roots[] = {mkdtemp(root), NULL};
	_cleanup_(freep) char *name = cgroup_name("hostpid"), *dir = xasprintf("%s/named", root),
			      *file = xasprintf("%s/state.json", dir);
	struct fixture *f = fixture_new(roots, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CLONE_NEWNS };

	start(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 0);
	assert_false(has(f->wanted, id) || has(containers_all_fd(f->cs), id));
	end(&m);
	start(&m);
	write_state(root, "named", m.pid);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_string_equal(f->seen.container->id, "named");
	assert_string_equal(f->seen.container->runtime, "runc");
	assert_true(has(f->wanted, id));
	fixture_free(f);
	f = fixture_new(roots, name); /* and it is found running, too */
	assert_int_equal(f->seen.added, 1);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	fixture_free(f);
	remove_cgroup(name);
	unlink(file);
	rmdir(dir);
	rmdir(root);
}

/* A runtime runs in a container, and its container in a cgroup below: the inner one is another. */
static void test_inner(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("outer"), *inner = xasprintf("%s/inner", name),
			      *deep = xasprintf("%s/deep", inner);
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name), id_inner, id_deep, value, key;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct made n = { .cgroup = inner, .namespaces = CONTAINER };

	start(&m);
	containers_dispatch(f->cs);
	key = f->seen.container->key;
	id_inner = make_cgroup(inner);
	start(&n);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_inner, &value), 0);
	assert_true(value != key);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.container->key, value);
	assert_int_equal(f->seen.container->pid, n.pid);
	assert_int_equal(f->seen.container->outer->key, key);
	id_deep = make_cgroup(deep);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_deep, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	/* The outer one chosen anew does not take the inner one's cgroup. */
	containers_dispatch(f->cs);
	containers_map_add(f->cs, f->wanted, f->seen.container->outer);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_inner, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	assert_true(has(f->wanted, id));
	fixture_free(f);

	f = fixture_new(NULL, name); /* both are found running */
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.container->pid, n.pid);
	assert_int_equal(f->seen.container->outer->pid, m.pid);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_deep, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	end(&n);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 2);
	remove_cgroup(deep);
	remove_cgroup(inner);
	remove_cgroup(name);
	fixture_free(f);
}

/* With all namespaces of the host: a container because it was a runtime that made the cgroup. */
static void test_host_namespaces(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("hostall"), *other = cgroup_name("service");
	struct fixture *f = fixture_new(NULL, name);
	struct made m = { .cgroup = name }, n = { .cgroup = other };
	uint64_t id, id_other;
	char comm[16];

	prctl(PR_GET_NAME, comm);
	id_other = make_cgroup(other);
	prctl(PR_SET_NAME, "runc");
	id = make_cgroup(name);
	prctl(PR_SET_NAME, comm);
	start(&n);
	start(&m);
	assert_true(has(f->wanted, id));
	assert_false(has(f->wanted, id_other));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_string_equal(f->seen.container->name, name + 1);
	end(&m);
	end(&n);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(name);
	remove_cgroup(other);
	fixture_free(f);
}

/* More containers start than there are keys: the host side looks for itself. */
static void test_no_keys(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("nokeys"), *next = cgroup_name("nokeys2");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name), id_next = make_cgroup(next), key;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct made n = { .cgroup = next, .namespaces = CONTAINER };

	while (detector_take_key(f->cs->detector, &key))
		slots_give(&f->cs->slots, key);
	f->cs->slots.waiting = 0;
	start(&m);
	assert_false(has(f->wanted, id));
	settle(f);
	assert_int_equal(f->seen.added, 1);
	assert_true(has(f->wanted, id));
	start(&n); /* there are keys again */
	assert_true(has(f->wanted, id_next));
	end(&m);
	end(&n);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.removed, 2);
	remove_cgroup(name);
	remove_cgroup(next);
	fixture_free(f);
}

/* A tracer that leaves does not cut off those that came after it. */
static void test_tracers_leave(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_(freep) char *name = cgroup_name("leave");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CLONE_NEWNS | CLONE_NEWPID };
	int more[MAX_WANTED_MAPS];

	for (size_t i = 0; i < MAX_WANTED_MAPS; i++) {
		more[i] = bpf_map_create(BPF_MAP_TYPE_HASH, "g_wanted", 8, 8, 64, &o);
		assert_int_equal(containers_attach_map(f->cs, more[i], NULL),
				 i + 1 < MAX_WANTED_MAPS ? 0 : -ENOSPC); /* the fixture has one */
	}
	containers_detach_map(f->cs, f->wanted);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i += 2)
		containers_detach_map(f->cs, more[i]);
	start(&m);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++) {
		assert_int_equal(has(more[i], id), i % 2 && i + 1 < MAX_WANTED_MAPS);
		containers_detach_map(f->cs, more[i]);
		close(more[i]);
	}
	end(&m);
	remove_cgroup(name);
	fixture_free(f);
}

static void test_quick(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("quick");
	struct fixture *f = fixture_new(NULL, name);
	struct container *last = NULL;

	for (unsigned int i = 0; i < QUICK; i++) {
		_cleanup_(freep) char *own = xasprintf("%s-%u", name, i);
		uint64_t id = make_cgroup(own);
		struct made m = { .cgroup = own,
				 .namespaces = CLONE_NEWNS | CLONE_NEWPID,
				 .program = "/bin/true"};

		start(&m);
		end(&m);
		remove_cgroup(own);
		if (i % 16) /* many are over before anybody reads */
			continue;
		containers_dispatch(f->cs);
		assert_int_equal(f->seen.added, i + 1);
		assert_int_equal(f->seen.container->cgroup_id, id);
		assert_string_equal(f->seen.container->name, own + 1);
		last = f->seen.container;
	}
	containers_dispatch(f->cs);
	assert_non_null(last);
	assert_int_equal(f->seen.added, QUICK);
	assert_int_equal(f->seen.removed, QUICK);
	assert_int_equal(detector_lost(f->cs->detector), 0);
	fixture_free(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	      cmocka_unit_test(test_children),
		cmocka_unit_test(test_shared_cgroup), cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_host_pid),      cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_tracers_leave), cmocka_unit_test(test_quick),
		cmocka_unit_test(test_inner),	      cmocka_unit_test(test_host_namespaces),
	};

	if (argc > 1)
		return wait_program();
	return cmocka_run_group_tests(tests, find_cgroup_root, free_cgroup_root);
}
