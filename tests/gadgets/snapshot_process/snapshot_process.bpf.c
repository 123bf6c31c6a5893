// SPDX-License-Identifier: GPL-2.0
/* A snapshot for the tests: the processes that there are. */
#include <gadget/gadget.bpf.h>

GADGET("Show the processes of containers");

struct process_entry {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
};
SNAPSHOT(process, process_entry, 0);

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_entry *e;
	g_container c;

	if (!task || task->pid != task->tgid || !wanted_task(task, &c))
		return 0;
	e = record_begin(process, c);
	if (!e)
		return 0;
	process_fill_task(&e->proc, task);
	snapshot_row(process, e, ctx->meta->seq);
	return 0;
}
