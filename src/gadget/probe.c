// SPDX-License-Identifier: Apache-2.0
#include "gadget/probe.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/run.h"

#define RETURN_PREFIX "uretprobe/"
#define ON_RETURN 1 /* attr.config of the kernel's PMU "uprobe" */

struct probe {
	struct gadget_probe pub; /* library points into `text` */
	char *text;
	size_t program; /* of running.programs */
	bool on_return;
};

struct probes {
	struct probe *items;
	size_t n, room;
	int *open; /* descriptors of ours */
	size_t n_open, room_open;
	pid_t *closers; /* children that close some that were removed */
	size_t n_closers, room_closers;
};

/* ---- which ones -------------------------------------------------------------------------- */

/* "LIBRARY:SYMBOL"; anything else is attached nowhere. */
static bool parse(const char *target, struct probe *to)
{
	char *colon;

	if (!strchr(target, ':') || strchr(target, '/'))
		return false;
	to->text = xstrdup(target);
	colon = strchr(to->text, ':');
	*colon = '\0';
	to->pub = (struct gadget_probe){.library = to->text, .symbol = colon + 1};
	return true;
}

void probes_find(struct gadget *g)
{
	struct running *run = g->run;

	for (size_t i = 0; i < run->n_programs; i++) {
		const char *section = bpf_program__section_name(run->programs[i].prog);
		struct probe probe = {.program = i};

		if (!str_starts(section, "uprobe/") && !str_starts(section, RETURN_PREFIX))
			continue;
		probe.on_return = str_starts(section, RETURN_PREFIX);
		if (!parse(run->programs[i].target, &probe))
			continue;
		if (!run->probes)
			run->probes = xnew(struct probes);
		*grow(&run->probes->items, &run->probes->n, &run->probes->room) = probe;
	}
}

size_t gadget_n_probes(const struct gadget *g)
{
	return g->run && g->run->probes ? g->run->probes->n : 0;
}

struct gadget_probe gadget_probe(const struct gadget *g, size_t i)
{
	return g->run->probes->items[i].pub;
}

/* ---- attaching --------------------------------------------------------------------------- */

static int event_type(uint64_t *ret)
{
	_cleanup_(buf_done) struct buf b;
	int rc;

	buf_init(&b, 64);
	rc = buf_read_file(&b, AT_FDCWD, "/sys/bus/event_source/devices/uprobe/type");
	if (rc || !b.len)
		return rc ?: -ENOTSUP;
	buf_cstr(&b);
	b.data[strcspn(b.data, "\n")] = '\0';
	return parse_u64(b.data, ret);
}

int probe_hooks_exist(const char *target, int tracefs)
{
	uint64_t type;

	return event_type(&type) == 0;
}

int gadget_probe_program(const struct gadget *g, size_t i)
{
	return bpf_program__fd(g->run->programs[g->run->probes->items[i].program].prog);
}

/* Ties the program to the event. What holds both is returned; `event` is closed, or it is that. */
static int tie(int event, int program)
{
	int link = bpf_link_create(program, event, BPF_PERF_EVENT, NULL);

	if (link >= 0) {
		close(event);
		return link;
	}
	/* Kernels before 5.15 have no such links. */
	if (!ioctl(event, PERF_EVENT_IOC_SET_BPF, program))
		return event;
	link = -errno;
	close(event);
	return link;
}

int gadget_probe_open(const struct gadget *g, size_t i, int file, uint64_t offset)
{
	const struct probe *p = &g->run->probes->items[i];
	struct perf_event_attr attr = {.size = sizeof(attr), .config2 = offset};
	uint64_t type;
	char path[40];
	int event, rc;

	rc = event_type(&type);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	attr.type = (uint32_t)type;
	attr.config = p->on_return ? ON_RETURN : 0;
	attr.config1 = (uintptr_t)path;
	/* The event is of CPU 0; a program that is tied to it runs on all. */
	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	return tie(event, gadget_probe_program(g, i));
}

void gadget_probe_add(struct gadget *g, int probe)
{
	struct probes *p = g->run->probes;

	*grow(&p->open, &p->n_open, &p->room_open) = probe;
}

/* ---- taking off -------------------------------------------------------------------------- */

static void close_all(const int *fds, size_t n)
{
	struct slow_close slow;

	slow_close_begin(&slow, fds, n);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	slow_close_end(&slow);
}

/* Waits for closers; with WNOHANG, only for those that have ended. */
static void reap(struct probes *p, int options)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_closers; i++)
		if (waitpid(p->closers[i], NULL, __WCLONE | options) == 0)
			p->closers[kept++] = p->closers[i];
	p->n_closers = kept;
}

void probes_close(struct running *run)
{
	struct probes *p = run->probes;

	if (!p)
		return;
	close_all(p->open, p->n_open);
	p->n_open = 0;
	reap(p, 0);
}

void probes_free(struct running *run)
{
	struct probes *p = run->probes;

	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].text);
	free(p->items);
	free(p->open);
	free(p->closers);
	free(take(run->probes));
}

static void forget(struct probes *p, const int *fds, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_open; i++) {
		bool removed = false;

		for (size_t k = 0; k < n; k++)
			removed |= fds[k] == p->open[i];
		if (!removed)
			p->open[kept++] = p->open[i];
	}
	p->n_open = kept;
}

/* In a child: `fds` has the gate, the parent's word that it has closed its own, and `done`. */
static _Noreturn void close_and_end(const int *fds, size_t n, int gate, int done)
{
	child_keep_only(fds, n);
	child_wait_for_gate(gate);
	for (size_t i = 0; i < n; i++)
		if (fds[i] != done)
			close(fds[i]);
	_exit(0); /* which closes `done` */
}

int gadget_probes_remove(struct gadget *g, const int *probes, size_t n)
{
	struct probes *p = g->run->probes;
	_cleanup_(freep) int *fds = xnew_n(int, n + 2);
	int gate[2] = {-1, -1}, done[2] = {-1, -1};
	pid_t child;

	reap(p, WNOHANG);
	forget(p, probes, n);
	if (!n)
		return -1;
	if (pipe2(gate, O_CLOEXEC) || pipe2(done, O_CLOEXEC)) {
		close_all(probes, n);
		closep(&gate[0]);
		closep(&gate[1]);
		return -1;
	}
	memcpy(fds, probes, n * sizeof(*fds));
	fds[n] = gate[0];
	fds[n + 1] = done[1];
	child_sort(fds, n + 2);
	child = child_fork();
	if (!child)
		close_and_end(fds, n + 2, gate[0], done[1]);
	if (child > 0)
		*grow(&p->closers, &p->n_closers, &p->room_closers) = child;
	for (size_t i = 0; i < n; i++)
		close(probes[i]);
	close(gate[0]);
	close(gate[1]);
	close(done[1]);
	return done[0];
}
