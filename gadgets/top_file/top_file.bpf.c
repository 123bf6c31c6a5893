// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Reads and writes of files, by process or by container. Counted where calls end, so that bytes are
 * those that were moved and not those that were asked for.
 */
#include <gadget/file_calls.bpf.h>

GADGET("Show which files are read and written most\n"
       "For each interval, how often each process has read and written each file, and how many "
       "bytes; sendfile, splice and copy_file_range are a read of one file and a write of the "
       "other. With --by-container all processes of a container are one row for each file. "
       "--all-files counts sockets, pipes, terminals and devices as well.",
       ALIAS("filetop") LIMITS(
	       "What is read and written by mapped memory and by io_uring is not counted, nor what "
	       "sockets move by calls of their own, such as send and recv.")
	       SELFTEST("echo >/tmp/new", "file==new"));

PARAM(bool, all_files, false, "Not only regular files");
PARAM(bool, by_container, false, "Count for each container; fields of proc are empty");

enum file_type { R, S, O };

struct file_key {
	g_container container;
	struct g_process proc;
	g_dev dev DOC("Device that the file is on") COL(hidden);
	g_inode inode DOC("Inode of the file") COL(hidden);
};

enum { NAME_MAX = 256 };

struct file_value {
	__u64 reads DOC("Calls that read it") COL(width=7);
	__u64 writes DOC("Calls that wrote it") COL(width=7);
	g_bytes rbytes DOC("Bytes read");
	g_bytes wbytes DOC("Bytes written");
	enum file_type t DOC("R: a regular file; S: a socket; O: another") COL(width=1, fixed);
	char file[NAME_MAX] DOC("Name of the file, without folders") COL(width=40);
};
TOP(file, file_key, file_value, 8192, SORT("-reads,-writes,-rbytes,-wbytes"));

struct file_call {
	g_container container;
	__s32 from, to; /* descriptors; -1: none */
};
PENDING(calls, file_call);

static __always_inline bool file_wanted(const struct file *file)
{
	return all_files || file_is_regular(file);
}

static __always_inline enum file_type type_of(const struct file *file)
{
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK)
		return S;
	return file_is_regular(file) ? R : O;
}

static __noinline struct file_value *entry(const struct file *file, g_container container)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct file_value *v;
	struct file_key key;

	top_key_clear(key);
	key.container = container;
	if (!by_container)
		process_fill(&key.proc);
	key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key.inode = BPF_CORE_READ(inode, i_ino);
	v = top_entry(file, &key);
	if (v && !v->reads && !v->writes) {
		v->t = type_of(file);
		bpf_probe_read_kernel_str(v->file, sizeof(v->file),
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	}
	return v;
}

static __always_inline void count_read(const struct file_call *call, __s64 bytes)
{
	struct file *file = call->from < 0 ? NULL : file_of_fd(call->from);
	struct file_value *v = file && file_wanted(file) ? entry(file, call->container) : NULL;

	if (!v)
		return;
	__sync_fetch_and_add(&v->reads, 1);
	__sync_fetch_and_add(&v->rbytes, bytes);
}

static __always_inline void count_write(const struct file_call *call, __s64 bytes)
{
	struct file *file = call->to < 0 ? NULL : file_of_fd(call->to);
	struct file_value *v = file && file_wanted(file) ? entry(file, call->container) : NULL;

	if (!v)
		return;
	__sync_fetch_and_add(&v->writes, 1);
	__sync_fetch_and_add(&v->wbytes, bytes);
}

static __always_inline int begin(__s32 from, __s32 to)
{
	struct file_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->from = from;
	call->to = to;
	return 0;
}

static __always_inline int enter_io(struct syscall_enter *ctx, bool write, __s32 fd, __s64 at)
{
	return write ? begin(-1, fd) : begin(fd, -1);
}

static __always_inline int enter_copy(struct syscall_enter *ctx, __s32 from, __s64 from_at,
				      __s32 to, __s64 to_at)
{
	return begin(from, to);
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct file_call *call = pending_end(calls);

	if (!call || ctx->ret < 0)
		return 0;
	count_read(call, ctx->ret);
	count_write(call, ctx->ret);
	return 0;
}

FILE_CALLS(enter_io, leave)
FILE_COPIES(enter_copy, leave)
