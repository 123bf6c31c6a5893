// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Opens of files. The path is copied when the call begins, so that the process cannot change it
 * under us, and is read again at the end only where that did not work (its page was not in memory) or where it is long.
 * io_uring opens files without a system call: its requests are followed from submission to completion.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>

GADGET("Trace files as they are opened\n"
       "Shows each open, openat, openat2 and creat, and opens by io_uring, whether it worked or not: the path as the "
       "process passed it, flags, mode, and the descriptor or error. --paths adds the resolved path of what was opened.",
       ALIAS("opensnoop"));

PARAM(bool, failed, false, "Show only opens that failed");
PARAM(bool, paths, false, "Find the resolved path of each opened file (field fpath)");

struct open_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_fd fd DOC("Descriptor that the process got; -1 if the open failed") COL(width=4, right);
	g_errno error DOC("Why the open failed") COL(width=10);
	g_open_flags flags DOC("Flags passed to open") COL(width=20);
	g_file_mode mode DOC("Permissions for a new file") COL(hidden);
	g_text fname DOC("Path as the process passed it") COL(width=40, ellipsis=start);
	g_text fpath DOC("Resolved path of the opened file, with --paths") COL(hidden, ellipsis=start);
};
TRACER_RING(open, open_event, 2 * 4096, 4 << 20);

struct open_call {
	g_container container;
	__u64 pointer; /* the path in the process's memory */
	__u32 flags;
	__u32 mode;
	__s32 length; /* of `path` with its NUL; -errno: was not readable at the enter */
	char path[256];
};
PENDING(opens, open_call);

static __always_inline int enter(const void *pointer, __u32 flags, __u32 mode)
{
	struct open_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(opens, c);
	if (!call)
		return 0;
	call->container = c;
	call->pointer = (__u64)pointer;
	call->flags = flags;
	call->mode = mode;
	call->length = bpf_probe_read_user_str(call->path, sizeof(call->path), pointer);
	return 0;
}

/* A mode is passed, and means something, only where a file may be made. */
static __always_inline __u32 mode_of(__u32 flags, __u32 mode)
{
	return flags & (O_CREAT | __O_TMPFILE) ? mode : 0;
}

static __always_inline int leave(__s64 ret)
{
	struct open_call *call = pending_end(opens);
	struct open_event *e;
	__s32 length;

	if (!call || (failed && ret >= 0))
		return 0;
	e = record_begin(open, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->fd = ret < 0 ? -1 : ret;
	e->error = ret < 0 ? -ret : 0;
	e->flags = call->flags;
	e->mode = mode_of(call->flags, call->mode);
	length = call->length;
	if (length > 0 && length < (__s32)sizeof(call->path))
		text_kernel_bytes(open, e, fname, call->path, length - 1, 256);
	else
		text_user(open, e, fname, (const void *)call->pointer, 4096);
	if (paths && ret >= 0) {
		struct file *file = file_of_fd(ret);

		if (file)
			text_path(open, e, fpath, &file->f_path, 4096);
	}
	record_submit(open, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[1], ctx->args[2], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_openat")
int exit_openat(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat2")
int enter_openat2(struct syscall_enter *ctx)
{
	struct open_how how = {};

	bpf_probe_read_user(&how, sizeof(how), (const void *)ctx->args[2]);
	return enter((const void *)ctx->args[1], how.flags, how.mode);
}

SEC("tp/syscalls/sys_exit_openat2")
int exit_openat2(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

/* Not on arm64. */
SEC("tp/syscalls/sys_enter_open")
OPTIONAL int enter_open(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[0], ctx->args[1], ctx->args[2]);
}

SEC("tp/syscalls/sys_exit_open")
OPTIONAL int exit_open(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_creat")
OPTIONAL int enter_creat(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[0], O_CREAT | O_WRONLY | O_TRUNC, ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_creat")
OPTIONAL int exit_creat(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}
