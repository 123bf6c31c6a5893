// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* How often each system call is made, how often it fails and how long it takes. */
#include <gadget/duration.bpf.h>
#include <gadget/gadget.bpf.h>
#include <gadget/histogram.bpf.h>
#include <gadget/syscall_kinds.bpf.h>

GADGET("Count system calls, their errors and how long they take\n"
       "One row for each system call of each container (with --by-process of each process), for "
       "calls that ended in the interval; added up in the kernel. latency is a histogram, which "
       "-o histogram draws. A call that a signal interrupts has an error, and is another call "
       "when the kernel begins it anew, as strace counts. exit and exit_group, which never end, "
       "are counted when they begin. What a thread waits in is in latency, so long times are "
       "mostly those of calls that wait (futex, poll).",
       ALIAS("syscount") LIMITS(
	       "Calls that had begun before the gadget are counted, but have no latency; so has "
	       "one that seccomp refuses, and a container's first execve. What io_uring does "
	       "without calls is not seen.") SELFTEST("cat /nowhere; true", "errors>0"));

PARAM(bool, failed, false, "Count only calls that failed");
PARAM(g_errno, error, 0, "Count only calls that failed with this error, such as ENOENT; 0: all");
PARAM(bool, by_process, false, "Count for each process");
PARAM(bool, ns, false, "Histograms in nanoseconds, not microseconds");

struct syscalls_key {
	g_container container;
	g_syscall syscall DOC("System call") COL(width=20);
	g_comm comm DOC("Name of the process, with --by-process") COL(skip-empty);
	g_pid pid DOC("Process id, with --by-process") COL(skip-empty);
};

struct syscalls_value {
	__u64 count DOC("How many calls") COL(right, width=9);
	__u64 errors DOC("How many of them failed") COL(right, width=9);
	__u64 timed DOC("How many have total, avg, max and latency") COL(hidden);
	g_duration total DOC("How long all of them took");
	g_duration avg DOC("How long one took on average");
	g_duration max DOC("How long the longest took");
	struct g_histogram latency DOC("How long they took");
};
TOP(syscalls, syscalls_key, syscalls_value, 8192, SORT("-count"));

struct call {
	__u64 began;
	g_syscall syscall;
};
PENDING(calls, call);

static __always_inline __s32 error_of(g_syscall call, __s64 result)
{
	if (result >= 0 || result < -4095 || syscall_is_sigreturn(call))
		return 0;
	return -result;
}

static __always_inline struct syscalls_value *entry(g_container c, g_syscall call)
{
	struct syscalls_key key;

	top_key_clear(key);
	key.container = c;
	key.syscall = call;
	if (by_process)
		process_of((void *)bpf_get_current_task(), key.comm, &key.pid);
	return top_entry(syscalls, &key);
}

/* args: registers, number */
SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	g_syscall syscall;
	struct call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	syscall = syscall_current(ctx->args[1]);
	if (syscall_is_exit(syscall)) {
		struct syscalls_value *v = failed || error ? NULL : entry(c, syscall);

		if (v)
			__sync_fetch_and_add(&v->count, 1);
		return 0;
	}
	call = pending_begin(calls, c);
	if (call) {
		call->syscall = syscall;
		call->began = bpf_ktime_get_ns();
	}
	return 0;
}

/* began: 0 where that was not seen. */
static __always_inline void ended(g_container c, g_syscall syscall, __u64 began, __s64 result)
{
	__u64 now = bpf_ktime_get_ns();
	__s32 failed_by = error_of(syscall, result);
	struct syscalls_value *v;

	if ((failed && !failed_by) || (error && failed_by != error))
		return;
	v = entry(c, syscall);
	if (!v)
		return;
	__sync_fetch_and_add(&v->count, 1);
	if (failed_by)
		__sync_fetch_and_add(&v->errors, 1);
	if (!began)
		return;
	duration_add(v, timed, now - began);
	histogram_add(&v->latency, ns ? G_UNIT_NS : G_UNIT_US, (now - began) / (ns ? 1 : 1000));
}

/* args: registers, result */
SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	const struct pt_regs *regs = (const void *)ctx->args[0];
	__s64 result = ctx->args[1];
	struct call *call;
	g_syscall syscall;
	g_container c;

	if (!wanted_container(&c))
		return 0;
	call = pending_end(calls); /* also where an exec made it another program than --comm's */
	if (!process_wanted())
		return 0;
	if (call) {
		ended(c, call->syscall, call->began, result);
		return 0;
	}
	syscall = syscall_current(syscall_number(regs));
	if (result || !syscall_is_fork(syscall)) /* else it is the new task that begins */
		ended(c, syscall, 0, result);
	return 0;
}
