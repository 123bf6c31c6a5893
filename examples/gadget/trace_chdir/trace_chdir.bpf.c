// SPDX-License-Identifier: GPL-2.0
#include <gadget/gadget.bpf.h>

GADGET("Trace changes of the working directory");
PARAM(bool, failed, false, "Show only calls that failed");

struct chdir_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	g_errno error DOC("Error, if the call failed") COL(width=12);
	g_text path DOC("Folder, as the process named it") COL(width=40);
};
TRACER(chdir, chdir_event, 4096);

struct call {
	const char *path;
};
PENDING(calls, call);

SEC("tp/syscalls/sys_enter_chdir")
int enter_chdir(struct syscall_enter *ctx)
{
	g_container c;
	struct call *call;

	if (!wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (call)
		call->path = (const char *)ctx->args[0];
	return 0;
}

SEC("tp/syscalls/sys_exit_chdir")
int exit_chdir(struct syscall_exit *ctx)
{
	struct call *call = pending_end(calls);
	struct chdir_event *e;
	g_container c;

	if (!call || (failed && ctx->ret >= 0) || !wanted(&c))
		return 0;
	e = record_begin(chdir, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	text_user(chdir, e, path, call->path, 4096);
	record_submit(chdir, e);
	return 0;
}
