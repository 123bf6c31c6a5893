// SPDX-License-Identifier: Apache-2.0
/*
 * Taking programs off tracepoints. The kernel waits for a grace period when a link is closed and
 * for more when a tracepoint's last perf event is, one after the other: measured, 30 and 70 ms
 * each, a second for a gadget of ten. Child processes wait in our place. Each holds copies of
 * descriptors, so that our closing is not the last and returns at once, and closes them by its end:
 *   links: one child each, so that the waits run side by side, and we wait for the children;
 *   events: one child for all, for which nobody waits: their programs are off by then.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mem.h"

/*
 * A fork whose end is not announced by SIGCHLD, which may mean something to the program that uses
 * us, and in which no signal handler of that program runs.
 */
static pid_t fork_quietly(void)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* Our other descriptors must not live longer than we: somebody may wait for a pipe's end. */
static void keep_only(const int *fds, size_t n)
{
	unsigned int from = 0;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned int)fds[i] > from)
			close_range(from, fds[i] - 1, 0);
		from = fds[i] + 1;
	}
	close_range(from, ~0u, 0);
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* In a child: only system calls. The gate, one of fds, opens when the parent closes its end. */
static _Noreturn void hold(const int *fds, size_t n, int gate)
{
	char none;

	keep_only(fds, n);
	while (read(gate, &none, 1) < 0 && errno == EINTR)
		;
	_exit(chdir("/")); /* no file system is kept busy while the kernel waits */
}

static void wait_for(pid_t child)
{
	while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

void links_close(struct program *programs, size_t n)
{
	_cleanup_(freep) pid_t *children = xnew_n(pid_t, n);
	int gate[2] = { -1, -1 };
	bool apart = !pipe2(gate, O_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		if (!apart || programs[i].event_fd < 0 || !programs[i].link)
			continue;
		int fds[2] = { bpf_link__fd(programs[i].link), gate[0] };

		qsort(fds, array_size(fds), sizeof(*fds), compare_fds);
		children[i] = fork_quietly();
		if (!children[i])
			hold(fds, array_size(fds), gate[0]);
	}
	/* Where there is no child for a link, this waits itself. */
	for (size_t i = 0; i < n; i++) {
		bpf_link__destroy(programs[i].link);
		programs[i].link = NULL;
	}
	closep(&gate[0]);
	closep(&gate[1]);
	for (size_t i = 0; i < n; i++) {
		if (children[i] > 0)
			wait_for(children[i]);
	}
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

void events_close(struct program *programs, size_t n)
{
	_cleanup_(freep) int *fds = xnew_n(int, n + 1);
	size_t n_fds = 0;
	int gate[2];

	for (size_t i = 0; i < n; i++) {
		if (programs[i].event_fd >= 0)
			fds[n_fds++] = programs[i].event_fd;
		programs[i].event_fd = -1;
	}
	if (!n_fds)
		return;
	/* Without a child, the closing below waits itself. */
	if (pipe2(gate, O_CLOEXEC)) {
		close_all(fds, n_fds);
		return;
	}
	fds[n_fds++] = gate[0];
	qsort(fds, n_fds, sizeof(*fds), compare_fds);
	pid_t child = fork_quietly();
	if (!child) {
		if (fork_quietly())
			_exit(0);
		hold(fds, n_fds, gate[0]);
	}
	if (child > 0)
		wait_for(child);
	close_all(fds, n_fds);
	close(gate[1]);
}
