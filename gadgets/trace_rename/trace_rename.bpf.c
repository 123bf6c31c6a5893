// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Files and folders as they get another name.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/user_path.bpf.h>

GADGET("Trace files and folders as they are renamed\n"
       "Shows each rename, renameat and renameat2, whether it worked or not: both absolute paths, "
       "as the container has them, and both paths as the process passed them (fields oldname and "
       "newname). What had the new name before is gone, but where flags say otherwise.",
       LIMITS("What io_uring renames is not seen.")
       SELFTEST("touch /tmp/old; mv /tmp/old /tmp/new", "oldname==/tmp/old"));

PARAM(bool, failed, false, "Show only calls that failed");

enum rename_flag_set {
	RENAME_NOREPLACE = 1,
	RENAME_EXCHANGE = 2,
	RENAME_WHITEOUT = 4,
};

struct rename_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_errno error DOC("Why the call failed") COL(width=10);
	g_text oldpath DOC("Absolute path before") COL(width=40, ellipsis=start);
	g_text newpath DOC("Absolute path after") COL(width=40, ellipsis=start);
	enum rename_flag_set flags DOC("Flags passed to renameat2") COL(width=16, skip-empty);
	g_text oldname DOC("Path before, as the process passed it") COL(hidden, ellipsis=start);
	g_text newname DOC("Path after, as the process passed it") COL(hidden, ellipsis=start);
};
TRACER(rename, rename_event, 4 * USER_PATH_MAX);

struct rename_call {
	g_container container;
	__u64 flags;
	struct user_path from, to;
};
PENDING_MAX(renames, rename_call, 4096);

static __always_inline int enter(int old_dir, const void *old_name, int new_dir,
				 const void *new_name, __u32 flags)
{
	struct rename_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(renames, c);
	if (!call)
		return 0;
	call->container = c;
	call->flags = flags;
	user_path_take(&call->from, old_dir, old_name);
	user_path_take(&call->to, new_dir, new_name);
	return 0;
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct rename_call *call = pending_end(renames);
	struct rename_event *e;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(rename, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	e->flags = call->flags;
	text_user_path_full(rename, e, oldpath, &call->from);
	text_user_path_full(rename, e, newpath, &call->to);
	text_user_path(rename, e, oldname, &call->from);
	text_user_path(rename, e, newname, &call->to);
	record_submit(rename, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_renameat2")
int enter_renameat2(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], (const void *)ctx->args[1], ctx->args[2],
		     (const void *)ctx->args[3], ctx->args[4]);
}

SEC("tp/syscalls/sys_exit_renameat2")
int exit_renameat2(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_renameat")
int enter_renameat(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], (const void *)ctx->args[1], ctx->args[2],
		     (const void *)ctx->args[3], 0);
}

SEC("tp/syscalls/sys_exit_renameat")
int exit_renameat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Not on arm64. */
SEC("tp/syscalls/sys_enter_rename")
OPTIONAL int enter_rename(struct syscall_enter *ctx)
{
	return enter(AT_FDCWD, (const void *)ctx->args[0], AT_FDCWD, (const void *)ctx->args[1], 0);
}

SEC("tp/syscalls/sys_exit_rename")
OPTIONAL int exit_rename(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- where the paths have led ---------------------------------------------------------------- */

SEC("kprobe/security_path_rename")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found, const struct path *old_dir, const struct dentry *old_dentry,
	       const struct path *new_dir)
{
	struct rename_call *call = pending_peek(renames);

	if (call) {
		user_path_is_in(&call->from, old_dir);
		user_path_is_in(&call->to, new_dir);
	}
	return 0;
}
