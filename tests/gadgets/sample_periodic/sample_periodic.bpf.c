// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: rows that an iterator writes at each interval. It lists tasks, but not the first time. */
#include <gadget/gadget.bpf.h>

GADGET("List tasks again and again");

struct task_row {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	__u32 look DOC("How many looks were taken before this one");
};
SAMPLE(tasks, task_row, 0, SORT("-proc.pid"));

__u64 session;
__u32 looks;

SEC("iter/task")
int tasks_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_row *e;
	g_container c;

	if (ctx->meta->session_id != session) {
		session = ctx->meta->session_id;
		looks++;
	}
	if (!task || sample_is_first(ctx->meta) || !wanted_task(task, &c))
		return 0;
	e = record_begin(tasks, c);
	if (!e)
		return 0;
	process_fill_task(&e->proc, task);
	e->look = looks - 1;
	snapshot_row(tasks, e, ctx->meta->seq);
	return 0;
}
