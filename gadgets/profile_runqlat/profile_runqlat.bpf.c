// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* How long tasks that could run wait for a CPU. */
#define G_PREALLOCATED
#include <gadget/duration.bpf.h>
#include <gadget/histogram.bpf.h>
#include <gadget/off_cpu.bpf.h>

GADGET("Profile how long tasks wait for a CPU\n"
       "From where a thread is woken, made or has to leave its CPU to another one, until it runs: "
       "a histogram of these times by container, with --by-process and --by-cpu also by process "
       "and by the CPU that it came to run on. -o histogram draws them. The container is that of "
       "the thread that waits. What a CPU limit (cpu.max) holds back waits as well.",
       ALIAS("runqlat") LIMITS(
	       "A thread that was waiting or asleep when the gadget started is seen from the time "
	       "on when it has run for the first time. Where more than 16384 threads are off "
	       "their CPUs at once, the rest is counted as lost.")
	       SELFTEST("true; sleep 0.1; true", "count>0"));

PARAM(bool, by_process, false, "Count for each process");
PARAM(bool, by_cpu, false, "Count for each CPU");
PARAM(bool, ms, false, "Histograms in milliseconds, not microseconds");

struct runqlat_key {
	g_container container;
	g_comm comm DOC("Name of the process, with --by-process") COL(skip-empty);
	g_pid pid DOC("Process id, with --by-process") COL(skip-empty);
	g_cpu cpu DOC("CPU, with --by-cpu; else -1");
};

struct runqlat_value {
	__u64 count DOC("How often threads waited") COL(right, width=9);
	g_duration total DOC("How long, all together");
	g_duration avg DOC("How long one waited on average");
	g_duration max DOC("How long the longest waited");
	struct g_histogram latency DOC("How long they waited");
};
TOP(runqlat, runqlat_key, runqlat_value, 4096, SORT("-total"));

struct off_task {
	g_container container;
	__u64 runnable; /* since when; 0: it waits for something else */
};
OFF_CPU(off_tasks, struct off_task);

static __always_inline void leaves(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct off_task off = {};

	if (!wanted(&off.container) || !tid) /* 0: a CPU that has nothing to do */
		return;
	if (switch_is_runnable(ctx))
		off.runnable = bpf_ktime_get_ns();
	else if (switch_state_bits(ctx) & TASK_DEAD)
		return;
	if (bpf_map_update_elem(&off_tasks, &tid, &off, BPF_ANY))
		record_lost(off.container);
}

static __always_inline void add(const struct task_struct *task, g_container c, __u64 ns)
{
	struct runqlat_key key = {.container = c, .cpu = -1};
	struct runqlat_value *v;

	if (by_process)
		process_of(task, key.comm, &key.pid);
	if (by_cpu)
		key.cpu = bpf_get_smp_processor_id();
	v = top_entry(runqlat, &key);
	if (!v)
		return;
	duration_add(v, count, ns);
	histogram_add_time(&v->latency, ms, ns);
}

static __always_inline void arrives(const struct task_struct *task)
{
	__u32 tid = BPF_CORE_READ(task, pid);
	struct off_task *off = bpf_map_lookup_elem(&off_tasks, &tid);

	if (!off)
		return;
	if (off->runnable)
		add(task, off->container, bpf_ktime_get_ns() - off->runnable);
	bpf_map_delete_elem(&off_tasks, &tid);
}

SEC("raw_tp/sched_switch")
int switched(struct bpf_raw_tracepoint_args *ctx)
{
	leaves(ctx);
	arrives((const void *)ctx->args[G_SWITCH_TO]);
	return 0;
}

/* args: struct task_struct. One that had no time to leave its CPU is not known. */
SEC("raw_tp/sched_wakeup")
int woken(struct bpf_raw_tracepoint_args *ctx)
{
	const struct task_struct *task = (const void *)ctx->args[0];
	__u32 tid = BPF_CORE_READ(task, pid);
	struct off_task *off = bpf_map_lookup_elem(&off_tasks, &tid);

	if (off && !off->runnable) /* else it was waiting already */
		off->runnable = bpf_ktime_get_ns();
	return 0;
}

/* args: struct task_struct, made by the current one */
SEC("raw_tp/sched_wakeup_new")
int made(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct off_task off = {.runnable = bpf_ktime_get_ns()};
	__u32 tid = BPF_CORE_READ(task, pid);

	if (wanted_task(task, &off.container) &&
	    bpf_map_update_elem(&off_tasks, &tid, &off, BPF_ANY))
		record_lost(off.container);
	return 0;
}
