// SPDX-License-Identifier: Apache-2.0
/*
 * Two ways lead to a probe. Since 6.6 a BPF link is one by itself. Before, it is a perf event with
 * a link beside it (5.15), or with the program in it: then the kernel takes some 90 ms for the
 * closing of each event, in which nobody on the machine can open or close another.
 */
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
#define ON_RETURN 1 /* the kernel's flag, of both ways */

struct probe {
	struct gadget_probe pub; /* library points into `text` */
	char *text;
	size_t program; /* of running.programs */
	bool on_return;
};

struct probes {
	struct probe *items;
	size_t n, room;
	bool by_itself; /* a link is a probe */
	struct gadget_probe_fds *open;
	size_t n_open, room_open;
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

/* Of the kernel's union bpf_attr (uapi/linux/bpf.h), which older headers lack. */
struct link_attr {
	uint32_t program, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid;
};
#define UPROBE_MULTI ((enum bpf_attach_type)48) /* BPF_TRACE_UPROBE_MULTI */

static int link_by_itself(int program, const char *path, uint64_t offset, uint32_t flags)
{
	struct link_attr attr = {
		.program = (uint32_t)program,
		.attach_type = UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.multi_flags = flags,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* Such a link on a folder is refused because it is a folder. */
static bool has_links_of_its_own(void)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = UPROBE_MULTI);
	_cleanup_(closep) int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "ig_nothing", "GPL",
						      nothing, array_size(nothing), &opts);

	return program >= 0 && link_by_itself(program, "/", 0, 0) == -EBADF;
}

static struct probes *probes_new(void)
{
	struct probes *p = xnew(struct probes);

	p->by_itself = has_links_of_its_own();
	return p;
}

void probes_find(struct gadget *g)
{
	struct running *run = g->run;

	for (size_t i = 0; i < run->n_programs; i++) {
		struct bpf_program *prog = run->programs[i].prog;
		const char *section = bpf_program__section_name(prog);
		struct probe probe = {.program = i,
				      .on_return = str_starts(section, RETURN_PREFIX)};

		if (!probe.on_return && !str_starts(section, "uprobe/"))
			continue;
		if (!parse(run->programs[i].target, &probe))
			continue;
		run->probes = run->probes ?: probes_new();
		if (run->probes->by_itself)
			bpf_program__set_expected_attach_type(prog, UPROBE_MULTI);
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

static int event_open(const struct probe *p, const char *path, uint64_t offset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.config = p->on_return ? ON_RETURN : 0,
		.config1 = (uintptr_t)path,
		.config2 = offset,
	};
	uint64_t type;
	int fd, rc = event_type(&type);

	if (rc)
		return rc;
	attr.type = (uint32_t)type;
	/* The event is of CPU 0; a program that is tied to it runs on all. */
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int tie(int program, int event, struct gadget_probe_fds *ret)
{
	int link = bpf_link_create(program, event, BPF_PERF_EVENT, NULL);

	if (link >= 0) {
		*ret = (struct gadget_probe_fds){link, event};
		return 0;
	}
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program))
		return -errno;
	*ret = (struct gadget_probe_fds){event, -1};
	return 0;
}

int gadget_probe_open(const struct gadget *g, size_t i, int file, uint64_t offset,
		      struct gadget_probe_fds *ret)
{
	const struct probe *p = &g->run->probes->items[i];
	int program = gadget_probe_program(g, i), fd, rc;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (g->run->probes->by_itself) {
		fd = link_by_itself(program, path, offset, p->on_return ? ON_RETURN : 0);
		if (fd < 0)
			return fd;
		*ret = (struct gadget_probe_fds){fd, -1};
		return 0;
	}
	fd = event_open(p, path, offset);
	if (fd < 0)
		return fd;
	rc = tie(program, fd, ret);
	if (rc)
		close(fd);
	return rc;
}

void gadget_probe_add(struct gadget *g, const struct gadget_probe_fds *fds)
{
	struct probes *p = g->run->probes;

	*grow(&p->open, &p->n_open, &p->room_open) = *fds;
}

/* ---- taking off -------------------------------------------------------------------------- */

void probes_detach(struct running *run)
{
	struct probes *p = run->probes;
	_cleanup_(freep) int *fds = p ? xnew_n(int, p->n_open) : NULL;
	struct slow_close slow;
	size_t n_events = 0;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_open; i++)
		fds[i] = p->open[i].hold;
	slow_close_begin(&slow, fds, p->n_open);
	for (size_t i = 0; i < p->n_open; i++)
		close(fds[i]);
	slow_close_end(&slow);
	for (size_t i = 0; i < p->n_open; i++)
		if (p->open[i].event >= 0)
			fds[n_events++] = p->open[i].event;
	close_in_background(fds, n_events);
	p->n_open = 0;
}

bool probes_attached(const struct running *run)
{
	return run->probes && run->probes->n_open;
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
	free(take(run->probes));
}

static void forget(struct probes *p, const struct gadget_probe_fds *fds, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_open; i++) {
		bool removed = false;

		for (size_t k = 0; k < n; k++)
			removed |= fds[k].hold == p->open[i].hold;
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
		fds[at++] = probes[i].hold;
		if (probes[i].event >= 0)
			fds[at++] = probes[i].event;
	}
	fds[at++] = a;
	fds[at++] = b;
	child_sort(fds, at);
	*ret_n = at;
	return fds;
}

/* In a child of a child, for which nobody waits. */
static _Noreturn void remove_and_end(const int *holds, size_t n, int gate, int done)
{
	struct slow_close slow;

	child_wait_for_gate(gate);
	slow_close_begin(&slow, holds, n);
	for (size_t i = 0; i < n; i++)
		close(holds[i]);
	slow_close_end(&slow);
	close(done);
	_exit(chdir("/")); /* which closes the events */
}

static void close_probes(const struct gadget_probe_fds *probes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		close(probes[i].hold);
		if (probes[i].event >= 0)
			close(probes[i].event);
	}
}

/* Lets a child take them off; `gate` and `done` are two pipes. */
static void remove_apart(const struct gadget_probe_fds *probes, size_t n, const int gate[2],
			 const int done[2])
{
	_cleanup_(freep) int *fds = NULL, *holds = xnew_n(int, n);
	size_t n_fds;
	pid_t child;

	fds = list_fds(probes, n, gate[0], done[1], &n_fds);
	for (size_t i = 0; i < n; i++)
		holds[i] = probes[i].hold;
	child = child_fork();
	if (!child) {
		if (child_fork())
			_exit(0);
		child_keep_only(fds, n_fds);
		remove_and_end(holds, n, gate[0], done[1]);
	}
	child_wait(child);
}

int gadget_probes_remove(struct gadget *g, const struct gadget_probe_fds *probes, size_t n)
{
	int gate[2] = {-1, -1}, done[2] = {-1, -1};

	forget(g->run->probes, probes, n);
	if (n && !pipe2(gate, O_CLOEXEC) && !pipe2(done, O_CLOEXEC))
		remove_apart(probes, n, gate, done);
	close_probes(probes, n); /* without a child this waits itself */
	closep(&gate[0]);
	closep(&gate[1]);
	closep(&done[1]);
	return done[0];
}
