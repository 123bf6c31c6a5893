// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: hooks that no kernel has, ladders, twins, and a value kept from enter to exit. */
#include <gadget/gadget.bpf.h>

GADGET("Hooks that are there and hooks that are not", SELFTEST("sleep 1", "kept==77"));

enum program {
	OF_MISSING = 1,
	OF_RUNG = 2,
	OF_LATER_RUNG = 3,
	OF_EXIT = 4,
};

struct hook_record {
	g_time timestamp COL(hidden);
	g_container container;
	g_pid pid;
	__u32 program;
	__u64 kept;
};
TRACER(hooks, hook_record, 0);

struct kept {
	__u64 calls;
};
PENDING(calls, kept);

static __always_inline int put(__u32 program, __u64 kept)
{
	struct hook_record *e;
	g_container c;

	if (!wanted(&c))
		return 0;
	e = record_begin(hooks, c);
	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->program = program;
	e->kept = kept;
	record_submit(hooks, e);
	return 0;
}

/* A rung of two hooks, one of which exists: it does not stand. */
SEC("tp/syscalls/sys_enter_getpgid")
RUNG(ladder, 1)
int rung_half(struct syscall_enter *ctx)
{
	return put(OF_MISSING, 0);
}

SEC("raw_tp/no_such_tracepoint")
RUNG(ladder, 1)
int rung_missing(void *ctx)
{
	return put(OF_MISSING, 0);
}

SEC("tp/syscalls/sys_enter_getppid")
RUNG(ladder, 2) CANNOT_TELL("what the first rung would")
int rung_good(struct syscall_enter *ctx)
{
	struct kept *k;
	g_container c;

	if (!wanted(&c))
		return 0;
	k = pending_begin(calls, c);
	if (k)
		k->calls++;
	return put(OF_RUNG, 0);
}

SEC("raw_tp/sched_process_exec")
RUNG(ladder, 3)
int rung_late(void *ctx)
{
	return put(OF_LATER_RUNG, 0);
}

SEC("tp/syscalls/sys_enter_no_such_call")
OPTIONAL CANNOT_TELL("calls that there are not")
int left_out(struct syscall_enter *ctx)
{
	return put(OF_MISSING, 0);
}

SEC("raw_tp/no_such_tracepoint_either")
OPTIONAL
int left_out_raw(void *ctx)
{
	return put(OF_MISSING, 0);
}

static __always_inline int leave(void)
{
	struct kept *k = pending_end(calls);

	return k ? put(OF_EXIT, k->calls) : 0;
}

SEC("tp/syscalls/sys_exit_getppid")
int exit_getppid(struct syscall_exit *ctx)
{
	return leave();
}

/* The same program at another hook: only getppid has a kept value. */
SEC("tp/syscalls/sys_exit_getpgid")
int exit_getpgid(struct syscall_exit *ctx)
{
	return leave();
}
