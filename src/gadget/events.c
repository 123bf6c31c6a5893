// SPDX-License-Identifier: Apache-2.0
/*
 * Closing a tracepoint's last perf event makes the kernel wait for several grace periods, one
 * tracepoint after the other: measured, 70 ms each, most of a second for a gadget of ten. By then its program is off
 * already, so nobody needs to wait: a child process holds the events' last references, closes them
 * by its end, and is nobody's to wait for.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mem.h"

/* A fork whose end is not announced by SIGCHLD, which may mean something to the program that uses us. */
static pid_t fork_quietly(void)
{
	return syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
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

/* Runs in the child: nothing but system calls. fds holds `wait`, whose end comes when all others have let go. */
static _Noreturn void hold(const int *fds, size_t n, int wait)
{
	char none;

	if (fork_quietly())
		_exit(0);
	keep_only(fds, n);
	while (read(wait, &none, 1) < 0 && errno == EINTR)
		;
	_exit(chdir("/")); /* no file system is kept busy while the kernel waits */
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
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
	if (!child)
		hold(fds, n_fds, gate[0]);
	while (child > 0 && waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	close_all(fds, n_fds);
	close(gate[1]);
}
