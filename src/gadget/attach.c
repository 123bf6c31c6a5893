// SPDX-License-Identifier: Apache-2.0
/*
 * From a program's section name to its hook: one table. Tracepoints are attached without libbpf's
 * help, because it wants a mounted tracefs; ours is a mount that only this process sees.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/kernel_btf.h"

struct hook {
	const char *prefix;
	const char *word; /* for messages */
	/* NULL: not attached. -ENOENT: this kernel has no such hook. */
	int (*attach)(struct program *p, const struct hook_places *at);
	/* 1, 0 or -errno; NULL: only attaching can tell. */
	int (*exists)(const char *target, int tracefs);
	bool cheap; /* exists() costs next to nothing: asked for each program before loading */
	bool shares; /* one program may serve several hooks of this kind */
	bool iterator;
};

/* ---- tracefs ----------------------------------------------------------------------------- */

int tracefs_open(void)
{
	static const char *const mounted[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	_cleanup_(closep) int context = fsopen("tracefs", FSOPEN_CLOEXEC);

	if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) {
		int fd = fsmount(context, FSMOUNT_CLOEXEC, 0);

		if (fd >= 0)
			return fd;
	}
	for (size_t i = 0; i < array_size(mounted); i++) {
		_cleanup_(closep) int fd = open(mounted[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && !faccessat(fd, "events", F_OK, 0))
			return take_fd(&fd);
	}
	return -ENOTSUP;
}

/* "category/name" and nothing else: an object's section name comes from outside. */
static bool is_tracepoint(const char *target)
{
	const char *slash = strchr(target, '/');

	return slash && slash > target && slash[1] && !strchr(slash + 1, '/') &&
	       !strchr(target, '.');
}

static char *tracepoint_path(const char *target)
{
	return xasprintf("events/%s/id", target);
}

static int tracepoint_exists(const char *target, int tracefs)
{
	_cleanup_(freep) char *path = tracepoint_path(target);

	if (!is_tracepoint(target))
		return -EINVAL;
	if (tracefs < 0)
		return tracefs;
	if (!faccessat(tracefs, path, F_OK, 0))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int tracepoint_id(const char *target, int tracefs, uint64_t *ret)
{
	_cleanup_(freep) char *path = tracepoint_path(target);
	_cleanup_(buf_done) struct buf b;

	if (!is_tracepoint(target))
		return -EINVAL;
	if (tracefs < 0)
		return tracefs;
	buf_init(&b, 64);
	int rc = buf_read_file(&b, tracefs, path);
	if (rc)
		return rc;
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	return parse_u64(buf_cstr(&b), ret);
}

static int perf_open(struct perf_event_attr *attr)
{
	/* A program that is attached to an event runs on all CPUs, whatever the event's own. */
	int fd = syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int attach_tracepoint(struct program *p, const struct hook_places *at)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.sample_period = 1,
					.wakeup_events = 1 };
	uint64_t id;
	int rc = tracepoint_id(p->target, at->tracefs, &id);

	if (rc)
		return rc;
	attr.config = id;
	_cleanup_(closep) int fd = perf_open(&attr);
	if (fd < 0)
		return fd;
	/* The link's own copy: destroying the link takes the program off and no more (events.c). */
	_cleanup_(closep) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	p->link = bpf_program__attach_perf_event(p->prog, copy);
	if (!p->link)
		return -errno;
	/* Kernels before 5.15 have no such links: libbpf ties the program to the event for good. */
	if (bpf_link__fd(p->link) != copy)
		p->event_fd = take_fd(&fd);
	copy = -1; /* the link's now */
	return 0;
}

/* To ask whether a hook is there. */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* ---- raw tracepoints --------------------------------------------------------------------- */

static int attach_raw_tracepoint(struct program *p, const struct hook_places *at)
{
	p->link = bpf_program__attach_raw_tracepoint(p->prog, p->target);
	return p->link ? 0 : -errno;
}

/*
 * The kernel's BTF has a type for each of its tracepoints. Modules' are not there: an empty program,
 * attached for a moment, asks for those, which takes the kernel some 6 ms.
 */
static int raw_tracepoint_exists(const char *target, int tracefs)
{
	_cleanup_(freep) char *type = xasprintf("btf_trace_%s", target);

	if (kernel_btf_has_name(type))
		return 1;
	_cleanup_(closep) int prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ig_nothing",
						   "GPL", nothing, array_size(nothing), NULL);
	if (prog < 0)
		return prog;
	_cleanup_(closep) int link = bpf_raw_tracepoint_open(target, prog);
	return link >= 0 ? 1 : link == -ENOENT ? 0 : link;
}

/* ---- the others -------------------------------------------------------------------------- */

static int attach_by_libbpf(struct program *p, const struct hook_places *at)
{
	p->link = bpf_program__attach(p->prog);
	return p->link ? 0 : -errno;
}

/* What the kernel can iterate over has a function of this name, in its BTF alone. */
static int iterator_exists(const char *target, int tracefs)
{
	_cleanup_(freep) char *function = xasprintf("bpf_iter_%s", target);

	return kernel_btf_has_name(function);
}

/* A kernel may lack kprobes or the function, or refuse: opening the event asks all at once. */
static int kprobe_exists(const char *target, int tracefs)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	_cleanup_(buf_done) struct buf b;
	uint64_t type;

	buf_init(&b, 64);
	if (buf_read_file(&b, AT_FDCWD, "/sys/bus/event_source/devices/kprobe/type") || !b.len)
		return 0;
	b.data[strcspn(b.data, "\n")] = '\0';
	if (parse_u64(b.data, &type))
		return 0;
	attr.type = type;
	attr.kprobe_func = (uintptr_t)target;
	_cleanup_(closep) int fd = perf_open(&attr);
	return fd >= 0;
}

/*
 * Programs at a function's end, and at a hook of the security modules, need what a kernel may lack
 * or refuse at each step: an empty one is loaded and attached for a moment.
 */
static int trampoline_exists(const char *function, enum bpf_prog_type type,
			     enum bpf_attach_type attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int id = libbpf_find_vmlinux_btf_id(function, attach);

	if (id < 0)
		return 0;
	opts.attach_btf_id = id;
	_cleanup_(closep) int prog =
		bpf_prog_load(type, "ig_nothing", "GPL", nothing, array_size(nothing), &opts);
	if (prog < 0)
		return 0;
	_cleanup_(closep) int link = bpf_raw_tracepoint_open(NULL, prog);
	return link >= 0;
}

static int fexit_exists(const char *target, int tracefs)
{
	return trampoline_exists(target, BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT);
}

/* Without "bpf" among the security modules in force such a program is attached and never run. */
static bool has_bpf_among_modules(void)
{
	_cleanup_(closep) int context = fsopen("securityfs", FSOPEN_CLOEXEC);
	_cleanup_(closep) int root = -1;
	_cleanup_(buf_done) struct buf b;

	buf_init(&b, 4096);
	if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		root = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (root < 0 || buf_read_file(&b, root, "lsm"))
		return false;
	for (char *word, *rest = b.data; (word = strsep(&rest, ",\n"));)
		if (!strcmp(word, "bpf"))
			return true;
	return false;
}

static int lsm_exists(const char *target, int tracefs)
{
	return has_bpf_among_modules() &&
	       trampoline_exists(target, BPF_PROG_TYPE_LSM, BPF_LSM_MAC);
}

#define TRACEPOINT                                                                      \
	.word = "tracepoint", .attach = attach_tracepoint, .exists = tracepoint_exists, \
	.cheap = true, .shares = true
#define RAW_TRACEPOINT .word = "raw tracepoint", .exists = raw_tracepoint_exists
#define ITERATOR .word = "iterator", .exists = iterator_exists, .iterator = true
#define PROBE .word = "user-space probe", .exists = probe_hooks_exist, .cheap = true, .shares = true
#define CGROUP(what) .word = what, .attach = attach_cgroup
#define SAMPLES .word = "perf", .attach = attach_cpus
#define KPROBE .word = "kprobe on", .attach = attach_by_libbpf, .exists = kprobe_exists

static const struct hook hooks[] = {
	{ .prefix = "tp/", TRACEPOINT },
	{ .prefix = "tracepoint/", TRACEPOINT },
	{ .prefix = "raw_tp/", RAW_TRACEPOINT, .attach = attach_raw_tracepoint },
	{ .prefix = "raw_tracepoint/", RAW_TRACEPOINT, .attach = attach_raw_tracepoint },
	{ .prefix = "tp_btf/", RAW_TRACEPOINT, .attach = attach_by_libbpf },
	{ .prefix = "kprobe/", KPROBE },
	{ .prefix = "kretprobe/", KPROBE },
	{ .prefix = "uprobe/", PROBE }, /* attached to files as they are found: probe.c */
	{ .prefix = "uretprobe/", PROBE },
	{ .prefix = "fexit/", .word = "fexit on", .attach = attach_by_libbpf, .exists = fexit_exists },
	{ .prefix = "lsm/", .word = "LSM hook", .attach = attach_by_libbpf, .exists = lsm_exists },
	{ .prefix = "cgroup_skb/", CGROUP("cgroup v2's packet hook") },
	{ .prefix = "cgroup/", CGROUP("cgroup v2's socket hook") },
	{ .prefix = "perf_", SAMPLES }, /* perf_event: the whole name, libbpf knows no other */
	{ .prefix = "iter/", ITERATOR },
	{ .prefix = "iter.s/", ITERATOR },
	{ .prefix = "",
	  .word = "hook",
	  .attach = attach_by_libbpf }, /* last: it begins every name */
};

const struct hook *hook_find(const char *section, const char **ret_target)
{
	const struct hook *h = hooks;

	while (!str_starts(section, h->prefix))
		h++;
	*ret_target = section + strlen(h->prefix);
	return h;
}

int hook_exists(const struct hook *h, const char *target, int tracefs)
{
	return h->exists ? h->exists(target, tracefs) : 1;
}

bool hook_is_cheap(const struct hook *h)
{
	return h->cheap;
}

bool hook_shares_programs(const struct hook *h)
{
	return h->shares;
}

bool hook_is_iterator(const struct hook *h)
{
	return h->iterator;
}

const char *hook_word(const struct hook *h)
{
	return h->word;
}

/* ---- attach and detach ------------------------------------------------------------------- */

static int attach_failed(const struct gadget *g, const struct program *p, int rc, struct err *err)
{
	const char *name = bpf_program__name(p->prog);

	switch (rc) {
	case -ENOENT:
	case -ENOTSUP:
		return err_set(err, -ENOTSUP, "%s needs %s %s, which this kernel lacks", g->name,
			       p->hook->word, p->target);
	case -ERANGE:
		return sampling_refused(g->name, p, err);
	case -EXDEV:
		return err_set(err, -EPERM,
			       "%s: cgroup v2's root is outside of this cgroup namespace", g->name);
	case -EACCES:
		if (geteuid() == 0)
			return err_set(err, -EBADMSG,
				       "%s: program %s reads more arguments than %s %s has",
				       g->name, name, p->hook->word, p->target);
		/* fallthrough */
	case -EPERM:
		return err_set(err, -EPERM, "%s: not allowed to attach to %s %s", g->name,
			       p->hook->word, p->target);
	}
	return err_set(err, rc, "%s: cannot attach %s to %s %s: %s", g->name, name, p->hook->word,
		       p->target, strerror(-rc));
}

int gadget_attach(struct gadget *g, struct err *err)
{
	if (!g->run)
		return err_set(err, -EINVAL, "%s: not loaded", g->name);
	_cleanup_(closep) int tracefs = tracefs_open();
	const struct hook_places at = { .tracefs = tracefs, .cgroup2 = g->run->cgroup2_fd };
	int rc;

	for (size_t i = 0; i < g->run->n_programs; i++) {
		struct program *p = &g->run->programs[i];

		if (p->link || !p->hook->attach)
			continue;
		rc = p->hook->attach(p, &at);
		if (rc) {
			gadget_detach(g);
			return attach_failed(g, p, rc, err);
		}
	}
	tables_begin(g);
	rc = iterators_at_attach(g, err);
	if (rc)
		gadget_detach(g);
	return rc;
}

/*
 * A change of a map of maps returns when all programs that could still use the old value have
 * ended: the one wait of this kind that the kernel promises to BPF's users (since 4.20).
 */
void programs_wait(void)
{
	_cleanup_(closep) int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ig_wait", 4, 4, 1, NULL);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = inner);
	_cleanup_(closep) int outer =
		inner < 0 ? -1
			  : bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "ig_wait", 4, 4, 1, &opts);
	uint32_t zero = 0;

	if (outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY))
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void gadget_detach(struct gadget *g)
{
	bool any = g->run && probes_attached(g->run);

	any |= g->run && sampling_detach(g->run);
	for (size_t i = 0; g->run && i < g->run->n_programs; i++)
		any |= g->run->programs[i].link != NULL;
	if (g->run && sampling_detach(g->run))
		any = true;
	if (!any)
		return;
	links_close(g->run->programs, g->run->n_programs);
	probes_detach(g->run);
	tables_end(g);
	programs_wait();
}
