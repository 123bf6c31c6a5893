// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* The processes that there are, found by going through all tasks of the kernel. */
#include <gadget/task.bpf.h>

GADGET("Show the processes of containers\n"
       "With state, memory, number of threads, time of start and parent; with --threads each "
       "thread for itself. `-o tree` draws which process is whose child.",
       ALIAS("process_collector")
       LIMITS("A process that starts or ends while the list is made may be missing. `rss` may "
	      "lack pages that CPUs (since Linux 6.2) or its other threads (before) have not added "
	      "up yet.")
       SELFTEST("sleep 1; true", "proc.comm==sleep"));

PARAM(bool, threads, false, "Show threads as well");

struct process_entry {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	g_pid nspid
		DOC("Process id in the container's own pid namespace; of a thread its thread id")
			COL(width = 6);
	enum process_state state DOC("running, sleeping, waiting (for a disk, say: no signal wakes "
				     "it), stopped, traced, zombie, dead, parked, idle")
		COL(width = 8);
	__u32 thread_count DOC("Threads of the process") COL(width = 7, right);
	g_bytes rss DOC("Memory that it has in RAM; a zombie and a kernel thread have none");
	g_time start_time DOC("When it started");
};
SNAPSHOT(process, process_entry, 0, SORT("proc.pid,proc.tid"));

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_entry *e;
	g_container c;

	if (!task || (!threads && !task_is_leader(task)) || !wanted_task(task, &c))
		return 0;
	e = record_begin(process, c);
	if (!e)
		return 0;
	process_fill_task(&e->proc, task);
	e->nspid = task_nspid(task);
	e->state = task_state(task);
	e->thread_count = BPF_CORE_READ(task, signal, nr_threads);
	e->start_time = BPF_CORE_READ(task, start_boottime);
	e->rss = memory_rss(task);
	snapshot_row(process, e, ctx->meta->seq);
	return 0;
}
