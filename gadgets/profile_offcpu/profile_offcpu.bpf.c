// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* What threads wait for: how long, and in which functions. */
#define G_PREALLOCATED
#define G_USER_STACKS 4096
#define G_KERNEL_STACKS 2048
#include <gadget/duration.bpf.h>
#include <gadget/off_cpu.bpf.h>
#include <gadget/stack.bpf.h>

GADGET("Profile how long threads wait for something else than a CPU\n"
       "From where a thread leaves its CPU because it waits (for a lock, a pipe, a disk, the time) "
       "to where it is woken: one row for each process and kind of waiting, with --ustack and "
       "--kstack for each stack that it waits in. A wait is counted when it ends. -o folded "
       "--value total (or count) is for flame graphs. Stacks take a thread some microseconds "
       "each time that it waits. Time in which it could run and has no CPU is "
       "profile_runqlat's.",
       ALIAS("offcputime") LIMITS(
	       "A wait that had begun before the gadget, or has not ended when it ends, is not "
	       "counted. User stacks are followed by frame pointers: of code compiled without them "
	       "callers are missing. Stacks are kept for the whole run: what is new when the room "
	       "for 4096 user and 2048 kernel stacks is used up has its times without stack. Where "
	       "more than 16384 threads are off their CPUs at once, the rest is counted as lost.")
	       SELFTEST("sleep 0.1; true", "total>0"));

PARAM(bool, ustack, false, "Take user stacks");
PARAM(bool, kstack, false, "Take kernel stacks");
PARAM(bool, uninterruptible, false,
      "Only waits that no signal ends, such as for disks (state waiting)");
PARAM(g_duration, min_duration, 0, "Only waits of so long or longer");
PARAM(g_duration, max_duration, 0, "Only waits of so long or shorter; 0: any");
USER_STACKS(ustack, KEPT);
KERNEL_STACKS(kstack, KEPT);

struct offcpu_key {
	g_container container;
	g_comm comm DOC("Name of the process");
	g_pid pid DOC("Process id");
	enum process_state state DOC("sleeping: a signal would end it; waiting: none would")
		COL(width=8);
	g_ustack_id ustack DOC("User stack, innermost function first, with --ustack")
		COL(hidden, width=60, skip-empty);
	g_kstack_id kstack DOC("Kernel stack, likewise, with --kstack")
		COL(hidden, width=60, skip-empty);
};

struct offcpu_value {
	g_duration total DOC("How long it waited, all together");
	__u64 count DOC("How often it waited") COL(right, width=9);
	g_duration avg DOC("How long a wait took on average");
	g_duration max DOC("How long the longest took");
};
TOP(offcpu, offcpu_key, offcpu_value, 8192, SORT("-total"));

struct off_task {
	__u64 since;
	struct offcpu_key key;
};
OFF_CPU(off_tasks, struct off_task);

static __always_inline bool is_in_time(__u64 ns)
{
	return ns >= min_duration && (!max_duration || ns <= max_duration);
}

SEC("raw_tp/sched_switch")
int switched(struct bpf_raw_tracepoint_args *ctx)
{
	const struct task_struct *task = switch_from(ctx);
	__u32 tid = bpf_get_current_pid_tgid(), bits;
	struct off_task off = {};

	if (!wanted(&off.key.container) || switch_is_runnable(ctx))
		return 0;
	bits = switch_state_bits(ctx);
	if (bits & TASK_DEAD || (uninterruptible && !(bits & TASK_UNINTERRUPTIBLE)))
		return 0;
	process_of(task, off.key.comm, &off.key.pid);
	off.key.state = state_of_bits(bits);
	if (BPF_CORE_READ(task, mm)) /* none: a thread of the kernel's */
		off.key.ustack = user_stack(ctx);
	off.key.kstack = kernel_stack(ctx);
	off.since = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&off_tasks, &tid, &off, BPF_ANY))
		record_lost(off.key.container);
	return 0;
}

/* args: struct task_struct, woken by whoever is the current one */
SEC("raw_tp/sched_wakeup")
int woken(struct bpf_raw_tracepoint_args *ctx)
{
	const struct task_struct *task = (const void *)ctx->args[0];
	__u32 tid = BPF_CORE_READ(task, pid);
	struct off_task *off = bpf_map_lookup_elem(&off_tasks, &tid);
	struct offcpu_value *v;
	__u64 ns;

	if (!off)
		return 0;
	ns = bpf_ktime_get_ns() - off->since;
	v = is_in_time(ns) ? top_entry(offcpu, &off->key) : NULL;
	if (v)
		duration_add(v, count, ns);
	bpf_map_delete_elem(&off_tasks, &tid);
	return 0;
}
