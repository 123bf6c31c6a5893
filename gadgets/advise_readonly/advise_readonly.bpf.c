// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Where containers write: each folder is told once, as are the container's mounts, by which
 * advise_readonly.c knows what lies in the root file system.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/entered.bpf.h>
#include <gadget/once.bpf.h>
#include <gadget/path.bpf.h>

GADGET("Say whether containers could run with a read-only root, and what they write where\n"
       "Let a container do all that it should be able to do, from its start, then end the run. "
       "The report lists the folders of its root file system that were written to, by opening "
       "files for writing and by calls that make, remove or change them, and those on its volumes "
       "and other mounts; as a text, or as a piece of a Kubernetes pod with readOnlyRootFilesystem "
       "and an emptyDir for each folder. Rows (-o columns, -o json) are each container's mounts, "
       "then one row for each folder and kind of change. A call that failed because a file system "
       "is read-only already is shown as well.",
       ALIAS("advise_read_only_root") ALONE LIMITS(
	       "Files that were open for writing when the gadget started, and opens by io_uring, "
	       "are "
	       "not seen. Calls that name a path are put where that path leads by its text: a "
	       "symbolic link from the root into a volume looks like the root. Of a rename the new "
	       "name counts. A container that does nothing in the run is not in the report.")
       SELFTEST("echo >/tmp/new", "path==/tmp/new"));

enum write_how { mounted, opened, created, removed, renamed, changed };

enum write_place { by_path, on_root, elsewhere };

struct write_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum write_how
		how DOC("mounted: one of the container's mounts; opened: a file for writing; "
			"created, removed, renamed; changed: mode, owner, times …") COL(width=8);
	enum write_place place DOC("Whether it lies in the mount of the root: on_root, elsewhere; "
				   "by_path: as the path says") COL(width=9);
	g_bool read_only DOC("Of a mount: it is read-only") COL(hidden);
	g_errno error DOC("EROFS: it was tried, on what is read-only") COL(width=6);
	g_text fs DOC("Of a mount: its type") COL(hidden);
	g_text dir DOC("Folder from which a relative path goes") COL(width=16, ellipsis=start);
	g_text path DOC("Path") COL(width=40, ellipsis=start);
};
TRACER(writes, write_event, 2 * 4096 + 64);

/* ---- the kernel's types ---------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head {
	struct list_head *next;
};
struct vfsmount___flags {
	int mnt_flags;
};
struct mount___children {
	struct list_head mnt_mounts; /* first of the mounts on this one */
	struct list_head mnt_child;  /* next one on the same */
};
struct super_block___flags {
	unsigned long s_flags;
};
struct file___mode {
	unsigned int f_mode;
};
#pragma clang attribute pop

enum {
	MNT_READONLY = 0x40,
	SB_RDONLY = 1,
	FMODE_CREATED = 0x100000,
	O_ACCMODE = 3,
	EROFS = 30,
	MOUNTS = 128, /* of one container, that are told */
};

/* ---- mounts ---------------------------------------------------------------------------------- */

struct container_key {
	g_container container;
};
ONCE(mounts, container_key, 16384);

static __always_inline bool is_read_only(struct mount *mount)
{
	const struct vfsmount___flags *mnt = (const void *)&mount->mnt;
	const struct super_block___flags *sb = (const void *)BPF_CORE_READ(mount, mnt.mnt_sb);

	return BPF_CORE_READ(mnt, mnt_flags) & MNT_READONLY ||
	       BPF_CORE_READ(sb, s_flags) & SB_RDONLY;
}

static __always_inline struct mount *root_mount(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	return g_mount_of(BPF_CORE_READ(task, fs, root.mnt));
}

/* One mount, by its top. */
__noinline int tell_mount(__u64 where)
{
	struct mount *mount = (void *)where;
	struct write_event *e;
	g_container c;

	if (!wanted(&c))
		return 0;
	e = record_begin(writes, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->how = mounted;
	e->place = mount == root_mount() ? on_root : elsewhere;
	e->read_only = is_read_only(mount);
	text_kernel(writes, e, fs, BPF_CORE_READ(mount, mnt.mnt_sb, s_type, name), 64);
	text_path_of(writes, e, path, BPF_CORE_READ(mount, mnt.mnt_root), mount, 4096);
	record_submit(writes, e);
	return 0;
}

/* The root, and what is mounted directly on it: what lies on those is not in the root either. */
static __always_inline void tell_mounts(g_container c)
{
	struct mount___children *root = (void *)root_mount();
	struct container_key key = {.container = c};
	__u64 end = (__u64)root + bpf_core_field_offset(struct mount___children, mnt_mounts);
	struct list_head *at;

	if (!once(mounts, &key))
		return;
	tell_mount((__u64)root);
	at = BPF_CORE_READ(root, mnt_mounts.next);
	for (int i = 0; i < MOUNTS && at && (__u64)at != end; i++) {
		tell_mount((__u64)at - bpf_core_field_offset(struct mount___children, mnt_child));
		at = BPF_CORE_READ(at, next);
	}
}

SEC("raw_tp/sched_process_exec")
int execed(struct bpf_raw_tracepoint_args *ctx)
{
	g_container c;

	if (wanted(&c))
		tell_mounts(c);
	return 0;
}

/* ---- what is written ------------------------------------------------------------------------- */

struct folder_key {
	g_container container;
	__u64 folder; /* inode number, or a hash of its path */
	__u32 how, device;
};
ONCE(folders, folder_key, 65536);

struct write_call {
	g_container container;
	enum write_how how;
	int fd; /* of the folder that the path goes from, or of the file where there is no path */
	bool has_path;
	char path[256];
};
PENDING(calls, write_call);

static __always_inline int enter_call(enum write_how how, int fd, __u64 path)
{
	struct write_call *call;
	g_container c;

	if (!wanted(&c) || is_entering())
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->how = how;
	call->fd = fd;
	call->has_path = path != 0;
	if (path && bpf_probe_read_user_str(call->path, sizeof(call->path), (void *)path) < 0)
		call->path[0] = '\0';
	return 0;
}

static __always_inline struct write_event *begin(const struct write_call *call, __s64 result)
{
	struct write_event *e = record_begin(writes, call->container);

	if (!e)
		return NULL;
	process_fill(&e->proc);
	e->how = call->how;
	e->error = result < 0 ? -result : 0;
	return e;
}

/* A file that is open: its path and mount are known. */
static __noinline int tell_file(struct file *file, struct write_call *call)
{
	struct folder_key key = {.container = call->container, .how = call->how};
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct write_event *e;

	key.folder = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_ino);
	key.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	if (!once(folders, &key))
		return 0;
	tell_mounts(call->container);
	e = begin(call, 0);
	if (!e)
		return 0;
	e->place = g_mount_of(mnt) == root_mount() ? on_root : elsewhere;
	text_path(writes, e, path, &file->f_path, 4096);
	record_submit(writes, e);
	return 0;
}

/* Of the folder that a path names, whatever the name in it. */
static __always_inline __u64 folder_hash(const char *path, __u64 start)
{
	__u64 hash = start, folder = start;

	for (int i = 0; i < 255 && path[i]; i++) {
		if (path[i] == '/')
			folder = hash;
		hash = (hash ^ (__u8)path[i]) * 0x100000001b3ull;
	}
	return folder;
}

static __always_inline const struct path *base_of(const struct write_call *call)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	struct file *file;

	if (call->fd == AT_FDCWD)
		return &BPF_CORE_READ(task, fs)->pwd;
	file = file_of_fd(call->fd);
	return file ? &file->f_path : NULL;
}

static __noinline int tell_path(struct write_call *call, __s64 result)
{
	struct folder_key key = {.container = call->container, .how = call->how};
	const struct path *base = call->path[0] == '/' ? NULL : base_of(call);
	struct write_event *e;

	key.folder = folder_hash(call->path, BPF_CORE_READ(base, dentry, d_inode, i_ino));
	key.device = result < 0;
	if (!once(folders, &key))
		return 0;
	tell_mounts(call->container);
	e = begin(call, result);
	if (!e)
		return 0;
	if (base)
		text_path(writes, e, dir, base, 4096);
	text_kernel(writes, e, path, call->path, 256);
	record_submit(writes, e);
	return 0;
}

static __always_inline int leave_call(struct syscall_exit *ctx)
{
	struct write_call *call = pending_end(calls);
	struct file *file;

	if (!call || (ctx->ret < 0 && ctx->ret != -EROFS))
		return 0;
	if (call->has_path)
		return tell_path(call, ctx->ret);
	file = file_of_fd(call->fd);
	return file && ctx->ret >= 0 ? tell_file(file, call) : 0;
}

/* ---- opens ----------------------------------------------------------------------------------- */

static __always_inline int enter_open_call(int fd, __u64 path, __u32 flags)
{
	return flags & (O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE) ? enter_call(opened, fd, path)
								     : 0;
}

/* Reading a file that may be made, and is there, writes nothing. */
static __always_inline int leave_open_call(struct syscall_exit *ctx)
{
	struct write_call *call = pending_end(calls);
	const struct file___mode *mode;
	struct file *file;

	if (!call)
		return 0;
	if (ctx->ret == -EROFS)
		return tell_path(call, ctx->ret);
	file = ctx->ret >= 0 ? file_of_fd(ctx->ret) : NULL;
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	mode = (const void *)file;
	if (BPF_CORE_READ(mode, f_mode) & FMODE_CREATED)
		call->how = created;
	else if (!(BPF_CORE_READ(file, f_flags) & (O_ACCMODE | O_TRUNC)))
		return 0;
	return tell_file(file, call);
}

#define OPEN_CALL(name, fd, path, flags)                            \
	SEC("tp/syscalls/sys_enter_" #name)                         \
	OPTIONAL int enter_##name(struct syscall_enter *ctx)        \
	{                                                           \
		return enter_open_call(fd, ctx->args[path], flags); \
	}                                                           \
	SEC("tp/syscalls/sys_exit_" #name)                          \
	OPTIONAL int exit_##name(struct syscall_exit *ctx)          \
	{                                                           \
		return leave_open_call(ctx);                        \
	}

static __always_inline __u32 flags_of_how(__u64 how)
{
	struct open_how copy = {};

	bpf_probe_read_user(&copy, sizeof(copy), (const void *)how);
	return copy.flags;
}

OPEN_CALL(open, AT_FDCWD, 0, ctx->args[1])
OPEN_CALL(creat, AT_FDCWD, 0, O_CREAT | O_WRONLY | O_TRUNC)
OPEN_CALL(openat, ctx->args[0], 1, ctx->args[2])
OPEN_CALL(openat2, ctx->args[0], 1, flags_of_how(ctx->args[2]))

/* ---- calls that name a path, or a file ------------------------------------------------------- */

/* Those of before the calls with a folder are not on arm64. */
#define WRITE_CALL(name, what, fd, path)                     \
	SEC("tp/syscalls/sys_enter_" #name)                  \
	OPTIONAL int enter_##name(struct syscall_enter *ctx) \
	{                                                    \
		return enter_call(what, fd, path);           \
	}                                                    \
	SEC("tp/syscalls/sys_exit_" #name)                   \
	OPTIONAL int exit_##name(struct syscall_exit *ctx)   \
	{                                                    \
		return leave_call(ctx);                      \
	}

#define ARG(n) ctx->args[n]

WRITE_CALL(mkdir, created, AT_FDCWD, ARG(0))
WRITE_CALL(mknod, created, AT_FDCWD, ARG(0))
WRITE_CALL(symlink, created, AT_FDCWD, ARG(1))
WRITE_CALL(link, created, AT_FDCWD, ARG(1))
WRITE_CALL(mkdirat, created, ARG(0), ARG(1))
WRITE_CALL(mknodat, created, ARG(0), ARG(1))
WRITE_CALL(symlinkat, created, ARG(1), ARG(2))
WRITE_CALL(linkat, created, ARG(2), ARG(3))
WRITE_CALL(unlink, removed, AT_FDCWD, ARG(0))
WRITE_CALL(rmdir, removed, AT_FDCWD, ARG(0))
WRITE_CALL(unlinkat, removed, ARG(0), ARG(1))
WRITE_CALL(rename, renamed, AT_FDCWD, ARG(1))
WRITE_CALL(renameat, renamed, ARG(2), ARG(3))
WRITE_CALL(renameat2, renamed, ARG(2), ARG(3))
WRITE_CALL(truncate, changed, AT_FDCWD, ARG(0))
WRITE_CALL(chmod, changed, AT_FDCWD, ARG(0))
WRITE_CALL(chown, changed, AT_FDCWD, ARG(0))
WRITE_CALL(lchown, changed, AT_FDCWD, ARG(0))
WRITE_CALL(utime, changed, AT_FDCWD, ARG(0))
WRITE_CALL(utimes, changed, AT_FDCWD, ARG(0))
WRITE_CALL(setxattr, changed, AT_FDCWD, ARG(0))
WRITE_CALL(lsetxattr, changed, AT_FDCWD, ARG(0))
WRITE_CALL(removexattr, changed, AT_FDCWD, ARG(0))
WRITE_CALL(lremovexattr, changed, AT_FDCWD, ARG(0))
WRITE_CALL(fchmodat, changed, ARG(0), ARG(1))
WRITE_CALL(fchmodat2, changed, ARG(0), ARG(1))
WRITE_CALL(fchownat, changed, ARG(0), ARG(1))
WRITE_CALL(utimensat, changed, ARG(0), ARG(1))
WRITE_CALL(futimesat, changed, ARG(0), ARG(1))
WRITE_CALL(fchmod, changed, ARG(0), 0)
WRITE_CALL(fchown, changed, ARG(0), 0)
WRITE_CALL(fsetxattr, changed, ARG(0), 0)
WRITE_CALL(fremovexattr, changed, ARG(0), 0)

/* A socket that has a path is a file; other addresses, and abstract names, are none. */
SEC("tp/syscalls/sys_enter_bind")
int enter_bind(struct syscall_enter *ctx)
{
	struct {
		__u16 family;
		char first;
	} address = {};

	bpf_probe_read_user(&address, 3, (const void *)ctx->args[1]);
	if (address.family != AF_UNIX || !address.first)
		return 0;
	return enter_call(created, AT_FDCWD, ctx->args[1] + sizeof(address.family));
}

SEC("tp/syscalls/sys_exit_bind")
int exit_bind(struct syscall_exit *ctx)
{
	return leave_call(ctx);
}

ENTERED_HOOKS();
