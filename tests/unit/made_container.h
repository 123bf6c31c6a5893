/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that a test makes as a runtime would, a cgroup of their own, new namespaces, exec; and
 * a collection that finds them. The test's main() calls wait_program() where it has arguments.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "containers/internal.h"
#include "containers/proc.h"

/* ---- cgroups --------------------------------------------------------------------- */

static char *cgroup_root; /* where cgroup v2 is mounted */

static inline int find_cgroup_root(void **state)
{
	_cleanup_(buf_done) struct buf b = { .max = MAX_PROC_FILE_BYTES };

	if (buf_read_file(&b, AT_FDCWD, "/proc/self/mountinfo"))
		return -1;
	cgroup_root = proc_parse_cgroup2_mount(buf_cstr(&b));
	return cgroup_root ? 0 : -1;
}

static inline int free_cgroup_root(void **state)
{
	free(cgroup_root);
	return 0;
}

static inline char *cgroup_name(const char *what)
{
	return xasprintf("/ig-test-%d-%s", getpid(), what);
}

static inline uint64_t make_cgroup(const char *path)
{
	_cleanup_(freep) char *dir = xasprintf("%s%s", cgroup_root, path);
	struct stat st;

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(stat(dir, &st), 0);
	return st.st_ino;
}

static inline void remove_cgroup(const char *path)
{
	_cleanup_(freep) char *dir = xasprintf("%s%s", cgroup_root, path);

	for (int i = 0; rmdir(dir) && i < 200;
	     i++) /* its last process may still be on its way out */
		usleep(5000);
	assert_int_equal(access(dir, F_OK), -1);
}

static inline void move(pid_t pid, const char *path)
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
	bool held;		    /* made, and not started before release(): it waits for its exec */
	pid_t runtime, pid;
	int to, from; /* the first process ends when `to` is closed, and has started when `from`
			 gives a byte */
};

#define CONTAINER (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)

/* What the first process of a container does: says that it runs, then waits. */
static inline int wait_program(void)
{
	char c;

	return write(STDOUT_FILENO, "", 1) != 1 || read(STDIN_FILENO, &c, 1) != 0;
}

static inline void run_first(const struct made *m, int go)
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

static inline void run_runtime(const struct made *m, int pid_fd)
{
	int go[2], status;
	pid_t pid;
	char c;

	if (pipe2(go, O_CLOEXEC) || unshare(m->namespaces))
		_exit(96);
	pid = fork();
	if (!pid)
		run_first(m, go[0]);
	if (m->cgroup)
		move(pid, m->cgroup);
	if (m->runtime_cgroup)
		move(getpid(), m->runtime_cgroup);
	if (write(pid_fd, &pid, sizeof(pid)) != sizeof(pid) ||
	    (m->held && read(STDIN_FILENO, &c, 1) != 1) || write(go[1], "", 1) != 1)
		_exit(95);
	waitpid(pid, &status, 0);
	_exit(0);
}

/* Returns when the first process has run its exec (or, with a program of its own, is about to). */
static inline void start(struct made *m)
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
	if (!m->program && !m->held)
		assert_int_equal(read(m->from, &c, 1), 1);
}

/* Returns when it has run its exec. */
static inline void release(struct made *m)
{
	char c;

	assert_int_equal(write(m->to, "", 1), 1);
	assert_int_equal(read(m->from, &c, 1), 1);
}

static inline void end(struct made *m)
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

static inline void on_event(void *ctx, enum container_event event, struct container *c)
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
static inline void settle(struct fixture *f)
{
	struct pollfd p = { .fd = containers_fd(f->cs), .events = POLLIN };

	do {
		containers_dispatch(f->cs);
	} while (containers_pending(f->cs) && poll(&p, 1, 5000) >= 0);
}

static inline struct fixture *fixture_new(const char *const *runc_roots, const char *prefix)
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

static inline void fixture_free(struct fixture *f)
{
	container_unref(f->seen.container);
	containers_detach_map(f->cs, f->wanted);
	containers_free(f->cs);
	close(f->wanted);
	free(f);
}

static inline bool has(int fd, uint64_t id)
{
	uint64_t value;

	return !bpf_map_lookup_elem(fd, &id, &value);
}

static inline uint64_t namespace_of(pid_t pid, const char *name)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t inum;

	assert_int_equal(proc_namespace(proc, (uint32_t)pid, name, &inum), 0);
	return inum | G_NAMESPACE_KEY;
}
