// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: rows written by an iterator. It lists tasks. */
#include <gadget/gadget.bpf.h>

GADGET("List tasks", ALIAS("tasklist"));

struct task_row {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	g_text name DOC("The task's name, as a text");
};
SNAPSHOT(tasks, task_row, 64);

SEC("iter/task")
int tasks_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_row *e;
	g_container c;

	if (!task || !wanted_task(task, &c))
		return 0;
	e = record_begin(tasks, c);
	if (!e)
		return 0;
	process_fill_task(&e->proc, task);
	text_kernel(tasks, e, name, task->comm, 16);
	snapshot_row(tasks, e, ctx->meta->seq);
	return 0;
}
