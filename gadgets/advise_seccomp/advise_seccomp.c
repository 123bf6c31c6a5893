// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles of system calls, from the rows of advise_seccomp: as an OCI runtime reads them, as the
 * security profiles operator does, or how they differ from a profile that is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/format.h"
#include "columns/kernel_names.h"
#include "columns/labels.h"
#include "columns/report_groups.h"
#include "seccomp_profile.h"

/*
 * What runc and crun do themselves between loading the profile and the container's exec: seen by
 * strace of runc 1.1 and crun 1.8, as root and not, with and without noNewPrivileges, without which
 * they load it earlier. Go's runtime and the C library, which runc has, may at any time want
 * memory, a thread, a signal, a sleep, or the time, which some machines have no quicker way to.
 */
static const char *const runtimes_calls[] = {
	"brk", "capget", "capset", "chdir", "clock_gettime", "clock_nanosleep", "clone",
	"clone3", "close", "close_range", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"eventfd2", "execve", "exit", "exit_group", "faccessat2", "fchown", "fcntl", "fstat",
	"fstatfs", "futex", "getcwd", "getdents64", "getpid", "getppid", "getrandom", "gettid",
	"gettimeofday", "madvise", "mmap", "mprotect", "munmap", "nanosleep", "newfstatat",
	"openat", "prctl", "read", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "setgid",
	"setgroups", "setresgid", "setresuid", "setuid", "sigaltstack", "tgkill", "write",
};

struct profile {
	struct report_group group;
	g_syscall *calls;
	size_t n, room;
};

struct advice {
	struct report_groups groups;
	const char *diff;
	bool with_runtime;
};

static void profile_done(struct report_group *g)
{
	free(((struct profile *)g)->calls);
}

static void advice_close(void *state)
{
	struct advice *a = state;

	if (a)
		report_groups_done(&a->groups);
	free(a);
}

static int advice_open(const char *mode, const struct labels *options, void **ret, struct err *err)
{
	const char *runtime = labels_get(options, "runtime-calls");
	struct advice *a = xnew(struct advice);
	int r = report_groups_init(&a->groups, sizeof(struct profile), mode, options, err);

	a->groups.done = profile_done;
	a->diff = labels_get(options, "diff");
	a->with_runtime = !runtime || !strcmp(runtime, "yes");
	if (!r && runtime && !a->with_runtime && strcmp(runtime, "no"))
		r = err_set(err, -EINVAL, "--runtime-calls is yes or no, not '%s'", runtime);
	if (r) {
		advice_close(a);
		return r;
	}
	*ret = a;
	return 0;
}

static int advice_row(void *state, const struct schema *s, const struct row *row, struct err *err)
{
	struct advice *a = state;
	struct report_group *g;
	struct profile *p;
	int64_t call;
	int r = report_number(s, row, "syscall", &call, err);

	r = r ?: report_group_of(&a->groups, s, row, &g, err);
	if (r)
		return r;
	p = (struct profile *)g;
	for (size_t i = 0; i < p->n; i++)
		if (p->calls[i] == (g_syscall)call)
			return 0;
	if (p->n == MAX_PROFILE_CALLS)
		return err_set(err, -E2BIG, "more than %d system calls of one container",
			       MAX_PROFILE_CALLS);
	*grow(&p->calls, &p->n, &p->room) = (g_syscall)call;
	return 0;
}

/* ---- names --------------------------------------------------------------------------------- */

static void add_own_calls(const struct profile *p, struct name_set *names)
{
	for (size_t i = 0; i < p->n; i++) {
		_cleanup_(buf_done) struct buf name = {.max = 256};

		syscall_name(p->calls[i], &name);
		if (!name.len || (*name.data >= '0' && *name.data <= '9'))
			log_warn("%s: system call %s has no name here: the profile lacks it",
				 p->group.name, buf_cstr(&name));
		else
			name_set_add(names, buf_cstr(&name));
	}
	name_set_sort(names);
}

/* Those that the container does not make itself. */
static void add_runtimes_calls(const struct advice *a, const struct name_set *own,
			       struct name_set *names)
{
	for (size_t i = 0; a->with_runtime && i < array_size(runtimes_calls); i++)
		if (!name_set_has(own, runtimes_calls[i]))
			name_set_add(names, runtimes_calls[i]);
	name_set_sort(names);
}

/* AUDIT_ARCH_… of the kernel as profiles call it. */
static const struct architecture {
	uint32_t audit;
	const char *name;
} architectures[] = {
	{0xc000003e, "SCMP_ARCH_X86_64"},
	{0x40000003, "SCMP_ARCH_X86"},
	{0xc00000b7, "SCMP_ARCH_AARCH64"},
	{0x40000028, "SCMP_ARCH_ARM"},
};

static bool has_calls_of(const struct profile *p, const struct architecture *arch)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->calls[i] >> 32 == arch->audit)
			return true;
	return false;
}

static void add_architectures(const struct profile *p, struct name_set *names)
{
	for (size_t i = 0; i < array_size(architectures); i++)
		if (has_calls_of(p, &architectures[i]))
			name_set_add(names, architectures[i].name);
}

/* ---- as an OCI runtime reads it ------------------------------------------------------------- */

static void json_names(const struct name_set *names, struct buf *out)
{
	for (size_t i = 0; i < names->n; i++) {
		if (i)
			buf_char(out, ',');
		json_quote(out, names->items[i], strlen(names->items[i]));
	}
}

static void json_allowed(const struct name_set *names, bool first, struct buf *out)
{
	if (!names->n)
		return;
	buf_str(out, first ? "{\"names\":[" : ",{\"names\":[");
	json_names(names, out);
	buf_str(out, "],\"action\":\"SCMP_ACT_ALLOW\"}");
}

static void write_oci(const void *ctx, const struct report_group *g, struct buf *out)
{
	_cleanup_(name_set_done) struct name_set own = {0}, runtimes = {0}, arches = {0};
	const struct profile *p = (const struct profile *)g;

	add_own_calls(p, &own);
	add_runtimes_calls(ctx, &own, &runtimes);
	add_architectures(p, &arches);
	buf_str(out, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[");
	json_names(&arches, out);
	buf_str(out, "],\"syscalls\":[");
	json_allowed(&own, true, out);
	json_allowed(&runtimes, !own.n, out);
	buf_str(out, "]}");
}

/* ---- as an object of the security profiles operator ----------------------------------------- */

/* Names of system calls and architectures are plain words. */
static void yaml_names(const struct name_set *names, const char *indent, struct buf *out)
{
	for (size_t i = 0; i < names->n; i++)
		buf_printf(out, "%s- %s\n", indent, names->items[i]);
}

static void yaml_allowed(const struct name_set *names, struct buf *out)
{
	if (!names->n)
		return;
	buf_str(out, "  - action: SCMP_ACT_ALLOW\n    names:\n");
	yaml_names(names, "    ", out);
}

static void write_object(const void *ctx, const struct report_group *g, struct buf *out)
{
	_cleanup_(name_set_done) struct name_set own = {0}, runtimes = {0}, arches = {0};
	const struct profile *p = (const struct profile *)g;
	const struct advice *a = ctx;

	add_own_calls(p, &own);
	add_runtimes_calls(a, &own, &runtimes);
	add_architectures(p, &arches);
	buf_str(out, "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\n"
		     "kind: SeccompProfile\nmetadata:\n  name: ");
	report_object_name(&p->group, out);
	if (p->group.namespace && a->groups.merge != MERGE_ALL) {
		buf_str(out, "\n  namespace: ");
		json_quote(out, p->group.namespace, strlen(p->group.namespace));
	}
	buf_str(out, "\nspec:\n  defaultAction: SCMP_ACT_ERRNO\n  architectures:\n");
	yaml_names(&arches, "  ", out);
	buf_str(out, "  syscalls:\n");
	yaml_allowed(&own, out);
	yaml_allowed(&runtimes, out);
}

/* ---- beside a profile that is there ---------------------------------------------------------- */

static void list_names(const char *what, const struct name_set *names, struct buf *out)
{
	buf_printf(out, "  %s (%zu):", what, names->n);
	for (size_t i = 0; i < names->n; i++)
		buf_printf(out, " %s", names->items[i]);
	buf_char(out, '\n');
}

static int write_difference(const struct advice *a, const struct profile *p, struct buf *out,
			    struct err *err)
{
	_cleanup_(name_set_done) struct name_set own = {0}, unused = {0}, missing = {0};
	_cleanup_(seccomp_profile_done) struct seccomp_profile there = {0};
	int r = strcmp(a->diff, "in-force")
			? seccomp_profile_read(a->diff, &there, err)
			: seccomp_profile_in_force(p->group.bundle, &there, err);

	if (r)
		return err_wrap(err, r, "%s", p->group.name);
	add_own_calls(p, &own);
	for (size_t i = 0; i < own.n; i++)
		if (!seccomp_profile_allows(&there, own.items[i]))
			name_set_add(&missing, own.items[i]);
	for (size_t i = 0; i < there.allowed.n; i++)
		if (!name_set_has(&own, there.allowed.items[i]))
			name_set_add(&unused, there.allowed.items[i]);
	escape_text(out, p->group.name, strlen(p->group.name));
	buf_char(out, '\n');
	if (there.allows_by_default)
		buf_str(out, "  the profile lets through all that it does not name\n");
	list_names("used, not allowed", &missing, out);
	list_names("allowed, not used", &unused, out);
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int advice_write(void *state, uint64_t lost, struct buf *out, struct err *err)
{
	static const struct report_writer writers[] = {
		{"oci", REPORT_JSON, write_oci},
		{"spo", REPORT_YAML, write_object},
		{0},
	};
	struct advice *a = state;
	int r = report_groups_sort(&a->groups, err);

	if (r)
		return r;
	report_say_lost(lost, "system calls");
	if (!a->diff)
		report_write(&a->groups, writers, a, out);
	for (size_t i = 0; a->diff && !r && i < a->groups.n; i++)
		r = write_difference(a, (const struct profile *)a->groups.items[i], out, err);
	return r;
}

static const struct report_mode modes[] = {
	{"oci", "A profile as OCI runtimes, Docker and Podman read it (JSON)"},
	{"spo", "A SeccompProfile object of Kubernetes' security profiles operator (YAML)"},
	{0},
};

static const struct report_option options[] = {
	REPORT_MERGE_OPTION,
	{"diff", "FILE",
	 "Write instead what differs from this profile (JSON); in-force: from the one that the "
	 "container was started with, as its bundle says"},
	{"runtime-calls", "yes/no",
	 "Let through what runc and crun need themselves once they have loaded the profile "
	 "(default yes)"},
	{0},
};

static const struct report report = {
	.gadget = "advise_seccomp",
	.modes = modes,
	.options = options,
	.open = advice_open,
	.row = advice_row,
	.write = advice_write,
	.close = advice_close,
};
GADGET_REPORT(&report);
