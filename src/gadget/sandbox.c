// SPDX-License-Identifier: Apache-2.0
/*
 * What comes from outside is first given to a library in a child that can do nothing: no
 * privileges, no files, little memory, five seconds, and only the system calls that its work needs.
 * If it crashes there, what was given is refused. Words come back through a pipe.
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <seccomp.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/mem.h"
#include "gadget/internal.h"
#include "gadget/sandbox.h"

#define DEADLINE_S 5
#define MEMORY_BYTES (256u << 20) /* beyond what the process had at the fork */
#define MAX_REPORT_BYTES 4096
#define MAX_PLACEHOLDERS 1024 /* descriptors of empty memory files: libbpf 1.4 and later take one for each map */
#define NOBODY 65534

/* In the child: where its words go, and the only descriptor that it has. */
enum { REPORT_FD = 3 };
enum { CHILD_DONE = 0, CHILD_REFUSED = 2, CHILD_NOT_CONFINED = 3 }; /* a sanitizer's end is 1 */

/* ---- the child ----------------------------------------------------------------------- */

/* Address space that this process has; sanitizers reserve terabytes. */
static uint64_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int limit(void)
{
	const struct {
		int what;
		uint64_t most;
	} limits[] = {
		{ RLIMIT_AS, address_space() + MEMORY_BYTES },
		{ RLIMIT_CPU, DEADLINE_S },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_NOFILE, MAX_PLACEHOLDERS },
		{ RLIMIT_NPROC, 0 },
	};

	for (size_t i = 0; i < array_size(limits); i++) {
		struct rlimit r = { limits[i].most, limits[i].most }, now;

		if (!getrlimit(limits[i].what, &now) && now.rlim_max < r.rlim_max)
			r.rlim_cur = r.rlim_max = now.rlim_max;
		if (setrlimit(limits[i].what, &r) < 0)
			return -errno;
	}
	return 0;
}

/* An ordinary user stays who he is, as does the root of a user namespace without nobody. */
static int drop_privileges(void)
{
	cap_t none = cap_init();
	int r;

	(void)!setgroups(0, NULL);
	(void)!setresgid(NOBODY, NOBODY, NOBODY);
	(void)!setresuid(NOBODY, NOBODY, NOBODY);
	r = none && cap_set_proc(none) == 0 ? 0 : -EPERM;
	cap_free(none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return r;
}

/* Memory, its own end, and words into the pipe. Other calls fail with EPERM, which libbpf bears. */
static int filter_calls(void)
{
	static const int calls[] = {
		SCMP_SYS(brk),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(madvise),
		SCMP_SYS(futex),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
		SCMP_SYS(getrandom),
		SCMP_SYS(uname),
		SCMP_SYS(getpid),
		SCMP_SYS(gettid),
		SCMP_SYS(tgkill),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(sched_yield),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(memfd_create), /* stays empty: RLIMIT_FSIZE */
		SCMP_SYS(close),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < array_size(calls); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				     SCMP_A0(SCMP_CMP_EQ, REPORT_FD, 0));
	if (!r) /* a placeholder below 3, where our own caller had closed those */
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC, 0));
	if (!r)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}

__attribute__((noreturn)) static void child(int report_fd, sandbox_fn *work, void *ctx)
{
	child_reset_signals(); /* a crash shall be the signal that it is */
	alarm(DEADLINE_S + 1);
	if (report_fd != REPORT_FD && dup2(report_fd, REPORT_FD) < 0)
		_exit(CHILD_NOT_CONFINED);
	if (close_range(REPORT_FD + 1, ~0u, 0) < 0)
		_exit(CHILD_NOT_CONFINED);
	if (limit() < 0 || drop_privileges() < 0)
		_exit(CHILD_NOT_CONFINED);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a change of user forgets it */
	for (int fd = 0; fd < REPORT_FD; fd++)
		close(fd);
	if (filter_calls() < 0)
		_exit(CHILD_NOT_CONFINED);
	_exit(work(ctx, REPORT_FD) ? CHILD_DONE : CHILD_REFUSED);
}

/* ---- the parent ---------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads what the child says until it ends. -ETIMEDOUT. */
static int listen_to(int fd, struct buf *words)
{
	int64_t end = now_ms() + DEADLINE_S * 1000, left;

	while ((left = end - now_ms()) > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char some[512];
		ssize_t n;

		if (poll(&p, 1, (int)left) <= 0)
			continue; /* the time has passed, or a signal came */
		n = read(fd, some, sizeof(some));
		if (!n)
			return 0;
		if (n > 0)
			buf_add(words, some, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

static int judge(int status, const char *fault, struct err *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(err, -EINVAL, "%s (it took too long)", fault);
	if (WIFSIGNALED(status))
		return err_set(err, -EINVAL, "%s (it crashed: SIG%s)", fault,
			       sigabbrev_np(WTERMSIG(status)));
	switch (WEXITSTATUS(status)) {
	case CHILD_DONE:
		return 0;
	case CHILD_REFUSED:
		return -EBADMSG;
	case CHILD_NOT_CONFINED:
		return err_set(err, -EPERM, "no confined process could be made to look at this");
	default:
		return err_set(err, -EINVAL, "%s (it crashed)", fault);
	}
}

static int reap(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int sandbox_run(const char *fault, sandbox_fn *work, void *ctx, struct buf *words, struct err *err)
{
	_cleanup_(closep) int from_child = -1, to_parent = -1;
	int fds[2], r, status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "no pipe: %s", strerror(errno));
	from_child = fds[0];
	to_parent = fds[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "no process: %s", strerror(errno));
	if (!pid)
		child(to_parent, work, ctx);
	close(take_fd(&to_parent));

	r = listen_to(from_child, words);
	if (r < 0)
		kill(pid, SIGKILL);
	if (reap(pid, &status) < 0 && !r) /* somebody else's SIGCHLD handling took it */
		return err_set(err, -ECHILD, "the process that looked at this is lost");
	if (r == -ETIMEDOUT)
		return err_set(err, -EINVAL, "%s (it took too long)", fault);
	return r < 0 ? err_set(err, r, "no answer: %s", strerror(-r)) : judge(status, fault, err);
}

/* ---- libbpf ------------------------------------------------------------------------------ */

/* Plain write(2): stdio would ask the descriptor more than the filter allows. */
static int report(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];
	int n = level == LIBBPF_WARN ? vsnprintf(line, sizeof(line), fmt, ap) : 0;

	if (n <= 0)
		return 0;
	return (int)write(REPORT_FD, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* The first line of libbpf's words. It may quote the object, so control characters are replaced. */
static const char *first_line(struct buf *words)
{
	char *line = words->data;

	if (!words->len)
		return "it gives no reason";
	buf_cstr(words);
	line[strcspn(line, "\n")] = '\0';
	for (char *at = line; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
	return strncmp(line, "libbpf: ", 8) ? line : line + 8;
}

struct object_bytes {
	const void *elf;
	size_t size;
};

static bool open_object(void *ctx, int report_fd)
{
	const struct object_bytes *bytes = ctx;

	libbpf_set_print(report);
	return bpf_object__open_mem(bytes->elf, bytes->size, NULL);
}

int object_try_open(const void *elf, size_t size, struct err *err)
{
	struct object_bytes bytes = { elf, size };
	_cleanup_(buf_done) struct buf words;
	int r;

	buf_init(&words, MAX_REPORT_BYTES);
	r = sandbox_run("libbpf cannot read this object", open_object, &bytes, &words, err);
	if (r == -EBADMSG)
		return err_set(err, -EINVAL, "libbpf refuses this object: %s", first_line(&words));
	return r;
}
