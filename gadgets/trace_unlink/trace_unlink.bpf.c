// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Names of files and folders as they are removed.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/user_path.bpf.h>

GADGET("Trace files and folders as they are removed\n"
       "Shows each unlink, unlinkat and rmdir, whether it worked or not: the absolute path, as the "
       "container has it, and the path as the process passed it (field fname). A file lives on "
       "while it has another name or is open.",
       LIMITS("What io_uring removes is not seen.")
       SELFTEST("touch /tmp/file; rm /tmp/file", "fname==/tmp/file"));

PARAM(bool, failed, false, "Show only calls that failed");

enum unlink_type { file, folder };

struct unlink_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum unlink_type type DOC("file: unlink; folder: rmdir, or unlinkat with AT_REMOVEDIR")
		COL(width=6);
	g_errno error DOC("Why the call failed") COL(width=10);
	g_text fpath DOC("Absolute path of what was to be removed") COL(width=50, ellipsis=start);
	g_text fname DOC("Path as the process passed it") COL(hidden, ellipsis=start);
};
TRACER(unlink, unlink_event, 2 * USER_PATH_MAX);

struct unlink_call {
	g_container container;
	__u32 type;
	struct user_path path;
};
PENDING(unlinks, unlink_call);

static __always_inline int enter(__u32 type, int dirfd, const void *name)
{
	struct unlink_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(unlinks, c);
	if (!call)
		return 0;
	call->container = c;
	call->type = type;
	user_path_take(&call->path, dirfd, name);
	return 0;
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct unlink_call *call = pending_end(unlinks);
	struct unlink_event *e;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(unlink, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->type = call->type;
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	text_user_path_full(unlink, e, fpath, &call->path);
	text_user_path(unlink, e, fname, &call->path);
	record_submit(unlink, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_unlinkat")
int enter_unlinkat(struct syscall_enter *ctx)
{
	return enter(ctx->args[2] & AT_REMOVEDIR ? folder : file, ctx->args[0],
		     (const void *)ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_unlinkat")
int exit_unlinkat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Not on arm64, as rmdir. */
SEC("tp/syscalls/sys_enter_unlink")
OPTIONAL int enter_unlink(struct syscall_enter *ctx)
{
	return enter(file, AT_FDCWD, (const void *)ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_unlink")
OPTIONAL int exit_unlink(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_rmdir")
OPTIONAL int enter_rmdir(struct syscall_enter *ctx)
{
	return enter(folder, AT_FDCWD, (const void *)ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_rmdir")
OPTIONAL int exit_rmdir(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- where the path has led ------------------------------------------------------------------ */

static __always_inline int found_in(const struct path *folder_found)
{
	struct unlink_call *call = pending_peek(unlinks);

	if (call)
		user_path_is_in(&call->path, folder_found);
	return 0;
}

SEC("kprobe/security_path_unlink")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_file, const struct path *dir)
{
	return found_in(dir);
}

SEC("kprobe/security_path_rmdir")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_folder, const struct path *dir)
{
	return found_in(dir);
}
