// SPDX-License-Identifier: Apache-2.0
/*
 * Taking programs off tracepoints and probes. The kernel waits for a grace period when a link is
 * closed and for more when a tracepoint's last perf event is, one after the other: measured, 30 and
 * 70 ms each, a second for a gadget of ten. Child processes wait in our place. Each holds copies of
 * descriptors, so that our closing is not the last and returns at once, and closes them by its end:
 *   links: in children side by side, and we wait for the children;
 *   events: one child for all, for which nobody waits: their programs are off by then.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/mem.h"

enum { MOST_SHARE = 128 }; /* of a child */

/* In a child. The gate, one of fds, opens when the parent has closed its descriptors. */
static _Noreturn void hold(const int *fds, size_t n, int gate)
{
	child_keep_only(fds, n);
	child_wait_for_gate(gate);
	_exit(chdir("/")); /* no file system is kept busy while the kernel waits */
}

/* The caller may be a child itself, which must not allocate; nor does sorting so few. */
static _Noreturn void hold_share(const int *fds, size_t n, int gate)
{
	int held[MOST_SHARE + 1];

	n = n < MOST_SHARE ? n : MOST_SHARE; /* the caller closes the rest, and waits for it */
	memcpy(held, fds, n * sizeof(*fds));
	held[n] = gate;
	child_sort(held, n + 1);
	hold(held, n + 1, gate);
}

void slow_close_begin(struct slow_close *s, const int *fds, size_t n)
{
	size_t children = n < MOST_CHILDREN ? n : MOST_CHILDREN;

	*s = (struct slow_close){.gate = {-1, -1}};
	if (pipe2(s->gate, O_CLOEXEC))
		return;
	for (size_t i = 0; i < children; i++) {
		size_t from = i * n / children, share = (i + 1) * n / children - from;

		s->children[s->n] = child_fork();
		if (!s->children[s->n])
			hold_share(fds + from, share, s->gate[0]);
		s->n++;
	}
}

void slow_close_end(struct slow_close *s)
{
	closep(&s->gate[0]);
	closep(&s->gate[1]);
	for (size_t i = 0; i < s->n; i++)
		child_wait(s->children[i]);
}

void links_close(struct program *programs, size_t n)
{
	_cleanup_(freep) int *fds = xnew_n(int, n);
	struct slow_close slow;
	size_t n_fds = 0;

	for (size_t i = 0; i < n; i++)
		if (programs[i].event_fd >= 0 && programs[i].link)
			fds[n_fds++] = bpf_link__fd(programs[i].link);
	slow_close_begin(&slow, fds, n_fds);
	/* Where there is no child for a link, this waits itself. */
	for (size_t i = 0; i < n; i++) {
		bpf_link__destroy(programs[i].link);
		programs[i].link = NULL;
	}
	slow_close_end(&slow);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

void close_in_background(const int *fds, size_t n)
{
	_cleanup_(freep) int *held = xnew_n(int, n + 1);
	int gate[2];

	if (!n)
		return;
	/* Without a child, the closing below waits itself. */
	if (pipe2(gate, O_CLOEXEC)) {
		close_all(fds, n);
		return;
	}
	memcpy(held, fds, n * sizeof(*fds));
	held[n] = gate[0];
	child_sort(held, n + 1);
	pid_t child = child_fork();
	if (!child) {
		if (child_fork())
			_exit(0);
		hold(held, n + 1, gate[0]);
	}
	child_wait(child);
	close_all(fds, n);
	close_all(gate, 2);
}

void events_close(struct program *programs, size_t n)
{
	_cleanup_(freep) int *fds = xnew_n(int, n);
	size_t n_fds = 0;

	for (size_t i = 0; i < n; i++) {
		if (programs[i].event_fd >= 0)
			fds[n_fds++] = programs[i].event_fd;
		programs[i].event_fd = -1;
	}
	close_in_background(fds, n_fds);
}
