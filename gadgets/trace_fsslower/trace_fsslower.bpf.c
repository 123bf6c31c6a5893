// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * File operations that take long, of all file systems: measured from a call's enter to its exit, so
 * with all that the process waited for.
 */
#include <gadget/file_calls.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/user_path.bpf.h>

GADGET("Trace slow operations on files\n"
       "Shows reads, writes, copies, opens, fsyncs and statfs that took longer than --min, or than "
       "the "
       "limit for that kind of operation, on files of any file system (or of one, "
       "--filesystem). The time is that of the whole call. fsync stands for fdatasync, syncfs and "
       "sync_file_range as well; copy for sendfile, splice and copy_file_range: shown is the file "
       "that is read, else the one that is written.",
       ALIAS("fsslower")
	       LIMITS("What is read and written by mapped memory and by io_uring is not seen.")
       SELFTEST("perl -e 'open F, q(>/tmp/new); $SIG{IO} = q(IGNORE); fcntl F, 1024, 1; "
		"if (!fork) { open G, q(</tmp/new); exit } select undef, undef, undef, 0.1; "
		"fcntl F, 1024, 2; wait'; true",
		"file==new,op==open"));

enum { DEFAULT_MIN = 10 * 1000 * 1000 };

PARAM(g_duration, min, DEFAULT_MIN, "Show what takes so long or longer");
PARAM(g_duration, min_read, 0, "The same of reads; 0: as --min");
PARAM(g_duration, min_write, 0, "The same of writes; 0: as --min");
PARAM(g_duration, min_copy, 0, "The same of copies; 0: as --min");
PARAM(g_duration, min_open, 0, "The same of opens; 0: as --min");
PARAM(g_duration, min_fsync, 0, "The same of fsyncs; 0: as --min");
PARAM(g_duration, min_statfs, 0, "The same of statfs; 0: as --min");

#define TYPE_MAX 32

PARAM_TEXT(filesystem, TYPE_MAX, "Only files on file systems of this type, such as ext4");

enum operation { read, write, copy, open, fsync, statfs };

struct slow_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum operation op DOC("What was done") COL(width=6);
	char type[TYPE_MAX] DOC(
		"Type of the file system; empty where an open failed, and of statfs "
		"by a path") COL(width=10);
	g_duration latency DOC("Time that it took") COL(width=9);
	g_bytes size DOC("Bytes read or written") COL(width=9);
	__u64 offset DOC("Where in the file it began to read or write") COL(width=10);
	g_errno error DOC("Why it failed") COL(width=10);
	g_text fpath DOC("Absolute path of the file") COL(width=50, ellipsis=start);
	g_text file DOC("Name of the file, without folders; of calls that take a path and failed, "
			"the path as passed") COL(hidden);
};

enum { NAME_MAX = 256 };

TRACER(slow, slow_event, 2 * USER_PATH_MAX);

struct slow_call {
	g_container container;
	__u64 began;
	__u32 op;
	__s32 fd, to;
	__s64 at, to_at;
	struct user_path path;
};
PENDING(calls, slow_call);

static __always_inline __u64 limit_of(__u32 op)
{
	__u64 own = op == read	  ? min_read
		    : op == write ? min_write
		    : op == copy  ? min_copy
		    : op == open  ? min_open
		    : op == fsync ? min_fsync
				  : min_statfs;

	return own ?: min;
}

/* ---- the record ------------------------------------------------------------------------------ */

static __always_inline bool type_wanted(const char *type)
{
	if (!filesystem[0])
		return true;
	for (int i = 0; i < TYPE_MAX; i++) {
		if (type[i] != filesystem[i])
			return false;
		if (!type[i])
			break;
	}
	return true;
}

/* The operations that have bytes and a place. */
static __always_inline bool moves_bytes(__u32 op)
{
	return op == read || op == write || op == copy;
}

/* Folders can be opened, and have a file system to ask for; a pipe or terminal only waits. */
static __always_inline bool file_wanted(const struct file *file, __u32 op)
{
	__u32 mode = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;

	return file_is_regular(file) || (mode == S_IFDIR && !moves_bytes(op));
}

/* Where a call began whose place was the descriptor's, which has moved on since. */
static __always_inline __u64 began_at(const struct slow_call *call, const struct file *file,
				      __s64 bytes)
{
	__s64 at = call->at;

	if (!moves_bytes(call->op))
		return 0;
	if (at == FILE_AT_POSITION) {
		at = BPF_CORE_READ(file, f_pos);
		if (bytes > 0)
			at -= bytes;
	}
	return at > 0 ? at : 0;
}

/* False: not asked for. */
static __always_inline bool fill_file(struct slow_event *e, const struct slow_call *call,
				      const struct file *file, __s64 ret)
{
	if (!file_wanted(file, call->op))
		return false;
	bpf_probe_read_kernel_str(e->type, sizeof(e->type),
				  BPF_CORE_READ(file, f_inode, i_sb, s_type, name));
	if (!type_wanted(e->type))
		return false;
	e->offset = began_at(call, file, ret);
	text_path(slow, e, fpath, &file->f_path, USER_PATH_MAX);
	text_kernel(slow, e, file, BPF_CORE_READ(file, f_path.dentry, d_name.name), NAME_MAX);
	return true;
}

static __always_inline struct slow_event *begin_record(struct slow_call *call, __s64 ret)
{
	__u64 took = bpf_ktime_get_boot_ns() - call->began;
	struct slow_event *e;

	if (took < limit_of(call->op))
		return NULL;
	e = record_begin(slow, call->container);
	if (!e)
		return NULL;
	e->op = call->op;
	e->latency = took;
	e->error = ret < 0 ? -ret : 0;
	if (ret > 0 && moves_bytes(call->op))
		e->size = ret;
	return e;
}

static __noinline int leave_fd(struct syscall_exit *ctx)
{
	struct slow_call *call = pending_end(calls);
	struct slow_event *e;
	struct file *file;

	e = call ? begin_record(call, ctx->ret) : NULL;
	if (!e)
		return 0;
	file = file_of_fd(call->fd);
	if (!file || !fill_file(e, call, file, ctx->ret))
		return 0;
	process_fill(&e->proc);
	record_submit(slow, e);
	return 0;
}

static __noinline int leave_copy(struct syscall_exit *ctx)
{
	struct slow_call *call = pending_peek(calls);
	struct file *from;

	if (!call)
		return 0;
	from = file_of_fd(call->fd);
	if (!from || !file_is_regular(from)) {
		call->fd = call->to;
		call->at = call->to_at;
	}
	return leave_fd(ctx);
}

/*
 * Of an open that failed there is no file, and so no type; one that a signal has ended may have
 * waited for a pipe's other end.
 */
static __noinline int leave_path(struct syscall_exit *ctx)
{
	struct slow_call *call = pending_end(calls);
	struct file *file = NULL;
	struct slow_event *e;

	e = call ? begin_record(call, ctx->ret) : NULL;
	if (!e)
		return 0;
	if (call->op == open && ctx->ret >= 0)
		file = file_of_fd(ctx->ret);
	if (file) {
		if (!fill_file(e, call, file, ctx->ret))
			return 0;
	} else {
		if (filesystem[0] || ctx->ret == -ERESTARTSYS)
			return 0;
		text_user_path_full(slow, e, fpath, &call->path);
		text_user_path(slow, e, file, &call->path);
	}
	process_fill(&e->proc);
	record_submit(slow, e);
	return 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static __always_inline struct slow_call *begin(enum operation op)
{
	struct slow_call *call;
	g_container c;

	if (!wanted(&c))
		return NULL;
	call = pending_begin(calls, c);
	if (!call)
		return NULL;
	call->container = c;
	call->op = op;
	call->began = bpf_ktime_get_boot_ns();
	return call;
}

static __always_inline int enter_fd(enum operation op, __s32 fd, __s64 at)
{
	struct slow_call *call = begin(op);

	if (!call)
		return 0;
	call->fd = fd;
	call->at = at;
	return 0;
}

static __always_inline int enter_path(enum operation op, int dirfd, __u64 name)
{
	struct slow_call *call = begin(op);

	if (call)
		user_path_take(&call->path, dirfd, (const void *)name);
	return 0;
}

static __always_inline int enter_io(struct syscall_enter *ctx, bool is_write, __s32 fd, __s64 at)
{
	return enter_fd(is_write ? write : read, fd, at);
}

static __always_inline int enter_copy(struct syscall_enter *ctx, __s32 from, __s64 from_at,
				      __s32 to, __s64 to_at)
{
	struct slow_call *call = begin(copy);

	if (!call)
		return 0;
	call->fd = from;
	call->at = from_at;
	call->to = to;
	call->to_at = to_at;
	return 0;
}

FILE_CALLS(enter_io, leave_fd)
FILE_COPIES(enter_copy, leave_copy)

#define FD_CALL(CALL, OP)                                            \
	SEC("tp/syscalls/sys_enter_" #CALL)                          \
	int enter_##CALL(struct syscall_enter *ctx)                  \
	{                                                            \
		return enter_fd(OP, ctx->args[0], FILE_AT_POSITION); \
	}                                                            \
	SEC("tp/syscalls/sys_exit_" #CALL)                           \
	int exit_##CALL(struct syscall_exit *ctx)                    \
	{                                                            \
		return leave_fd(ctx);                                \
	}

FD_CALL(fsync, fsync)
FD_CALL(fdatasync, fsync)
FD_CALL(syncfs, fsync)
FD_CALL(sync_file_range, fsync)
FD_CALL(fstatfs, statfs)

/* NEEDED: nothing, or OPTIONAL for calls that arm64 has not got. */
#define PATH_CALL(CALL, OP, DIRFD, NAME, NEEDED)           \
	SEC("tp/syscalls/sys_enter_" #CALL)                \
	NEEDED int enter_##CALL(struct syscall_enter *ctx) \
	{                                                  \
		return enter_path(OP, DIRFD, NAME);        \
	}                                                  \
	SEC("tp/syscalls/sys_exit_" #CALL)                 \
	NEEDED int exit_##CALL(struct syscall_exit *ctx)   \
	{                                                  \
		return leave_path(ctx);                    \
	}

PATH_CALL(openat, open, ctx->args[0], ctx->args[1], )
PATH_CALL(openat2, open, ctx->args[0], ctx->args[1], )
PATH_CALL(open, open, AT_FDCWD, ctx->args[0], OPTIONAL)
PATH_CALL(creat, open, AT_FDCWD, ctx->args[0], OPTIONAL)
PATH_CALL(statfs, statfs, AT_FDCWD, ctx->args[0], )
