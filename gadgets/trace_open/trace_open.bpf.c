// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Opens of files. io_uring opens them without a system call: its requests are followed from
 * submission to completion.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/user_text.bpf.h>

GADGET("Trace files as they are opened\n"
       "Shows each open, openat, openat2 and creat, and opens by io_uring, whether it worked or "
       "not: the path as the "
       "process passed it, flags, mode, and the descriptor or error. --paths adds the resolved "
       "path of what was opened, --ustack the functions that were about to open it (of programs "
       "compiled without frame pointers only the innermost, and none for io_uring).",
       ALIAS("opensnoop")
	       LIMITS("A descriptor that came otherwise is not shown: inherited, passed "
		      "(fdpass), of open_by_handle_at or memfd_create. Opens by io_uring are "
		      "seen from Linux 6.0 on, but for those that work and asked for no "
		      "completion then (IOSQE_CQE_SKIP_SUCCESS).")
		       SELFTEST("cat /etc/passwd", "fname==/etc/passwd"));

PARAM(bool, failed, false, "Show only opens that failed");
PARAM(bool, paths, false, "Find the resolved path of each opened file (field fpath)");
PARAM(bool, ustack, false, "Take the user stack of each open (field ustack)");

struct open_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_fd fd DOC("Descriptor that the process got; -1 if the open failed") COL(width=4, right);
	g_errno error DOC("Why the open failed") COL(width=10);
	g_open_flags flags DOC("Flags passed to open") COL(width=20);
	g_file_mode mode DOC("Permissions for a new file") COL(hidden);
	g_text fname DOC("Path as the process passed it") COL(width=40, ellipsis=start);
	g_text fpath DOC("Resolved path of the opened file, with --paths")
		COL(hidden, ellipsis=start);
	g_ustack ustack DOC("User stack, innermost function first, with --ustack")
		COL(hidden, skip-empty);
};
TRACER_RING(open, open_event, 2 * 4096 + sizeof(struct g_user_stack), 4 << 20);

struct open_call {
	g_container container;
	__u32 flags;
	__u32 mode;
	struct user_text path;
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
	call->flags = flags;
	call->mode = mode;
	user_text_take(&call->path, pointer);
	return 0;
}

/* A mode is passed, and means something, only where a file may be made. */
static __always_inline __u32 mode_of(__u32 flags, __u32 mode)
{
	return flags & (O_CREAT | __O_TMPFILE) ? mode : 0;
}

/* `by`: NULL is the current process. */
static __noinline int put_out(void *ctx, const struct open_call *call, const struct g_process *by,
			      __s64 error, g_fd fd)
{
	struct open_event *e;
	struct file *file;

	if (failed && !error)
		return 0;
	e = record_begin(open, call->container);
	if (!e)
		return 0;
	if (by)
		e->proc = *by;
	else
		process_fill(&e->proc);
	e->fd = fd;
	e->error = error;
	e->flags = call->flags;
	e->mode = mode_of(call->flags, call->mode);
	text_user_taken(open, e, fname, &call->path, 4096);
	if (paths && fd >= 0) {
		file = file_of_fd(fd);
		if (file)
			text_path(open, e, fpath, &file->f_path, 4096);
	}
	if (ustack && !by) {
		text_ustack(open, e, ustack, ctx);
		record_submit_now(open, e);
	} else {
		record_submit(open, e);
	}
	return 0;
}

static __always_inline int leave(struct syscall_exit *ctx)
{
	struct open_call *call = pending_end(opens);

	if (!call)
		return 0;
	return ctx->ret < 0 ? put_out(ctx, call, NULL, -ctx->ret, -1)
			    : put_out(ctx, call, NULL, 0, ctx->ret);
}

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[1], ctx->args[2], ctx->args[3]);
}

SEC("tp/syscalls/sys_exit_openat")
int exit_openat(struct syscall_exit *ctx)
{
	return leave(ctx);
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
	return leave(ctx);
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
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_creat")
OPTIONAL int enter_creat(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[0], O_CREAT | O_WRONLY | O_TRUNC, ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_creat")
OPTIONAL int exit_creat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- io_uring -------------------------------------------------------------------------------- */

/* An open that was submitted: by whom, since a kernel thread may do and complete it. */
struct open_request {
	struct open_call call;
	struct g_process proc;
	__u32 slot; /* not 0: it goes into the ring's own table of files and gets no descriptor */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH); /* no LRU: what it pushes out would be lost silently */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct io_kiocb * */
	__type(value, struct open_request);
} requests SEC(".maps");

/* The kernel's copy of the path. */
static __always_inline const char *request_path(const struct io_open *open)
{
	const struct io_open___7_0 *delayed = (const void *)open;
	struct filename *name;

	if (bpf_core_type_exists(struct delayed_filename))
		name = BPF_CORE_READ(delayed, filename.__incomplete_filename);
	else
		name = BPF_CORE_READ(open, filename);
	return BPF_CORE_READ(name, name);
}

static __always_inline bool is_open(const struct io_kiocb *req)
{
	__u8 opcode = BPF_CORE_READ(req, opcode);

	return opcode == IORING_OP_OPENAT || opcode == IORING_OP_OPENAT2;
}

static __always_inline int submitted(const struct io_kiocb *req)
{
	const struct io_open *open = (const void *)req;
	struct open_request r = {};
	__u64 key = (__u64)req;
	g_container c;

	/* Before 6.0 the hook is not told the request. */
	if (!bpf_core_field_exists(req->cqe))
		return 0;
	if (!is_open(req))
		return 0;
	if (!wanted(&c)) {
		bpf_map_delete_elem(&requests, &key);
		return 0;
	}
	r.call.container = c;
	r.call.flags = BPF_CORE_READ(open, how.flags);
	r.call.mode = BPF_CORE_READ(open, how.mode);
	r.slot = BPF_CORE_READ(open, file_slot);
	process_fill(&r.proc);
	r.call.path.length = bpf_probe_read_kernel_str(r.call.path.text, sizeof(r.call.path.text),
						       request_path(open));
	if (bpf_map_update_elem(&requests, &key, &r, BPF_ANY))
		record_lost(c);
	return 0;
}

/* args: struct io_kiocb */
SEC("raw_tp/io_uring_submit_req")
OPTIONAL int submit_req(struct bpf_raw_tracepoint_args *ctx)
{
	return submitted((const struct io_kiocb *)ctx->args[0]);
}

/* Its name until 6.3. */
SEC("raw_tp/io_uring_submit_sqe")
OPTIONAL int submit_sqe(struct bpf_raw_tracepoint_args *ctx)
{
	return submitted((const struct io_kiocb *)ctx->args[0]);
}

/* args: ring, struct io_kiocb, … */
SEC("raw_tp/io_uring_complete")
OPTIONAL int complete(struct bpf_raw_tracepoint_args *ctx)
{
	const struct io_kiocb *req = (const void *)ctx->args[1];
	__u64 key = (__u64)req;
	struct open_request *r;
	__s32 result;

	if (!bpf_core_field_exists(req->cqe))
		return 0;
	r = bpf_map_lookup_elem(&requests, &key);
	if (!r)
		return 0;
	/* One that asked for no completion leaves its entry to what uses the request next. */
	if (is_open(req)) {
		result = BPF_CORE_READ(req, cqe.res);
		put_out(ctx, &r->call, &r->proc, result < 0 ? -result : 0,
			result < 0 || r->slot ? -1 : result);
	}
	bpf_map_delete_elem(&requests, &key);
	return 0;
}
