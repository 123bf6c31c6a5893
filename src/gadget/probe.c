// SPDX-License-Identifier: Apache-2.0
#include "gadget/probe.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

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
	struct gadget_probe_fds *open;
	size_t n_open, room_open;
	int *closing; /* of those that were removed: readable when they do not run any more */
	size_t n_closing, room_closing;
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

static int tie(int program, struct gadget_probe_fds *fds)
{
	fds->link = bpf_link_create(program, fds->event, BPF_PERF_EVENT, NULL);
	/* Kernels before 5.15 have no such links. */
	if (fds->link >= 0 || !ioctl(fds->event, PERF_EVENT_IOC_SET_BPF, program))
		return 0;
	return -errno;
}

int gadget_probe_open(const struct gadget *g, size_t i, int file, uint64_t offset,
		      struct gadget_probe_fds *ret)
{
	const struct probe *p = &g->run->probes->items[i];
	struct perf_event_attr attr = {.size = sizeof(attr), .config2 = offset};
	uint64_t type;
	struct gadget_probe_fds fds;
	char path[40];
	int rc = event_type(&type);

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	attr.type = (uint32_t)type;
	attr.config = p->on_return ? ON_RETURN : 0;
	attr.config1 = (uintptr_t)path;
	/* The event is of CPU 0; a program that is tied to it runs on all. */
	fds.event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fds.event < 0)
		return -errno;
	rc = tie(gadget_probe_program(g, i), &fds);
	if (rc)
		close(fds.event);
	else
		*ret = fds;
	return rc;
}

void gadget_probe_add(struct gadget *g, const struct gadget_probe_fds *fds)
{
	struct probes *p = g->run->probes;

	*grow(&p->open, &p->n_open, &p->room_open) = *fds;
}

/* ---- taking off -------------------------------------------------------------------------- */

/* The programs are off when the links are closed; where there are none, with the events. */
static int holds_program(const struct gadget_probe_fds *p)
{
	return p->link >= 0 ? p->link : p->event;
}

static void wait_for_closing(struct probes *p)
{
	for (size_t i = 0; i < p->n_closing; i++) {
		child_wait_for_gate(p->closing[i]);
		close(p->closing[i]);
	}
	p->n_closing = 0;
}

void probes_detach(struct running *run)
{
	struct probes *p = run->probes;
	_cleanup_(freep) int *fds = p ? xnew_n(int, p->n_open) : NULL;
	struct slow_close slow;
	size_t n_events = 0;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_open; i++)
		fds[i] = holds_program(&p->open[i]);
	slow_close_begin(&slow, fds, p->n_open);
	for (size_t i = 0; i < p->n_open; i++)
		close(fds[i]);
	slow_close_end(&slow);
	for (size_t i = 0; i < p->n_open; i++)
		if (p->open[i].link >= 0)
			fds[n_events++] = p->open[i].event;
	close_in_background(fds, n_events);
	p->n_open = 0;
	wait_for_closing(p);
}

bool probes_attached(const struct running *run)
{
	return run->probes && (run->probes->n_open || run->probes->n_closing);
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
	free(p->closing);
	free(take(run->probes));
}

static void forget(struct probes *p, const struct gadget_probe_fds *fds, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_open; i++) {
		bool removed = false;

		for (size_t k = 0; k < n; k++)
			removed |= fds[k].event == p->open[i].event;
		if (!removed)
			p->open[kept++] = p->open[i];
	}
	p->n_open = kept;
}

/* All descriptors of what is removed, and two more, in order. */
static int *list_fds(const struct gadget_probe_fds *probes, size_t n, int a, int b, size_t *ret_n)
{
	int *fds = xnew_n(int, 2 * n + 2);
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		fds[at++] = probes[i].event;
		if (probes[i].link >= 0)
			fds[at++] = probes[i].link;
	}
	fds[at++] = a;
	fds[at++] = b;
	child_sort(fds, at);
	*ret_n = at;
	return fds;
}

/* In a child of a child, for which nobody waits. */
static _Noreturn void remove_and_end(const struct gadget_probe_fds *probes, size_t n, int gate,
				     int done)
{
	child_wait_for_gate(gate);
	for (size_t i = 0; i < n; i++)
		close(holds_program(&probes[i]));
	close(done);
	_exit(chdir("/")); /* which closes the events */
}

static void close_probes(const struct gadget_probe_fds *probes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (probes[i].link >= 0)
			close(probes[i].link);
		close(probes[i].event);
	}
}

int gadget_probes_remove(struct gadget *g, const struct gadget_probe_fds *probes, size_t n)
{
	struct probes *p = g->run->probes;
	_cleanup_(closep) int gate = -1, done = -1;
	_cleanup_(freep) int *fds = NULL;
	int gates[2], dones[2];
	size_t n_fds;
	pid_t child;

	forget(p, probes, n);
	if (!n || pipe2(gates, O_CLOEXEC))
		return -1;
	gate = gates[0];
	if (pipe2(dones, O_CLOEXEC)) {
		close(gates[1]);
		close_probes(probes, n);
		return -1;
	}
	done = dones[1];
	fds = list_fds(probes, n, gate, done, &n_fds);
	child = child_fork();
	if (!child) {
		if (child_fork())
			_exit(0);
		child_keep_only(fds, n_fds);
		remove_and_end(probes, n, gate, done);
	}
	child_wait(child);
	close_probes(probes, n);
	close(gates[1]);
	*grow(&p->closing, &p->n_closing, &p->room_closing) = fcntl(dones[0], F_DUPFD_CLOEXEC, 0);
	return dones[0];
}
