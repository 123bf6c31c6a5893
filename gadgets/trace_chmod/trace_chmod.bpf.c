// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Changes of permissions.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/user_path.bpf.h>

GADGET("Trace changes of files' permissions\n"
       "Shows each chmod, fchmod, fchmodat and fchmodat2, whether it worked or not: the mode that "
       "was asked for, the absolute path, as the container has it, and the path as the process "
       "passed it (field fname; empty where it named a descriptor).",
       LIMITS("Changes of access control lists, which are extended attributes, are not seen.")
       SELFTEST("chmod 700 /tmp", "fname==/tmp"));

PARAM(bool, failed, false, "Show only calls that failed");

struct chmod_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_errno error DOC("Why the call failed") COL(width=10);
	g_file_mode mode DOC("Permissions that were asked for") COL(width=5);
	g_text fpath DOC("Absolute path of the file") COL(width=50, ellipsis=start);
	g_text fname DOC("Path as the process passed it") COL(hidden, ellipsis=start);
};
TRACER(chmod, chmod_event, 2 * USER_PATH_MAX);

struct chmod_call {
	g_container container;
	__u64 mode;
	struct user_path path;
};
PENDING(chmods, chmod_call);

enum { MODE_MASK = 07777 }; /* the kernel takes no more of it */

static __always_inline struct chmod_call *begin(__u32 mode)
{
	struct chmod_call *call;
	g_container c;

	if (!wanted(&c))
		return NULL;
	call = pending_begin(chmods, c);
	if (!call)
		return NULL;
	call->container = c;
	call->mode = mode & MODE_MASK;
	return call;
}

static __always_inline int enter(int dirfd, const void *name, __u32 mode, __u32 flags)
{
	struct chmod_call *call = begin(mode);

	if (call)
		user_path_take_at(&call->path, dirfd, name, flags);
	return 0;
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct chmod_call *call = pending_end(chmods);
	struct chmod_event *e;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(chmod, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	e->mode = call->mode;
	text_user_path_full(chmod, e, fpath, &call->path);
	text_user_path(chmod, e, fname, &call->path);
	record_submit(chmod, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_fchmod")
int enter_fchmod(struct syscall_enter *ctx)
{
	struct chmod_call *call = begin(ctx->args[1]);

	if (call)
		user_path_take_fd(&call->path, ctx->args[0]);
	return 0;
}

SEC("tp/syscalls/sys_exit_fchmod")
int exit_fchmod(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_fchmodat")
int enter_fchmodat(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], (const void *)ctx->args[1], ctx->args[2], 0);
}

SEC("tp/syscalls/sys_exit_fchmodat")
int exit_fchmodat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Since 6.6. */
SEC("tp/syscalls/sys_enter_fchmodat2")
OPTIONAL int enter_fchmodat2(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], (const void *)ctx->args[1], ctx->args[2], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_fchmodat2")
OPTIONAL int exit_fchmodat2(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Not on arm64. */
SEC("tp/syscalls/sys_enter_chmod")
OPTIONAL int enter_chmod(struct syscall_enter *ctx)
{
	return enter(AT_FDCWD, (const void *)ctx->args[0], ctx->args[1], 0);
}

SEC("tp/syscalls/sys_exit_chmod")
OPTIONAL int exit_chmod(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- where the path has led ------------------------------------------------------------------ */

SEC("kprobe/security_path_chmod")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found, const struct path *path)
{
	struct chmod_call *call = pending_peek(chmods);

	if (call)
		user_path_is(&call->path, BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt));
	return 0;
}
