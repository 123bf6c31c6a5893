// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Mounts: mount and umount, and the calls of Linux 5.2 and later that make a mount in several
 * steps. Each is shown as the call that it was (call.h).
 */
#include <gadget/gadget.bpf.h>

#include "call.h"

GADGET("Trace mounts\n"
       "Shows each mount, umount, fsopen, fspick, fsconfig, fsmount, move_mount, open_tree, "
       "open_tree_attr, mount_setattr and pivot_root, whether it worked or not, as the call that "
       "it was, with its error and how long it took. The call has up to 255 bytes of each text; "
       "the hidden fields fs, source, dest and data have them whole. Set-up by a container's "
       "runtime is not the container's, and not shown.",
       ALIAS("mountsnoop")
	       LIMITS("pivot_root has no absolute paths: the root is another one when it "
		      "ends.") SELFTEST("mount -t tmpfs none /tmp", "fs==tmpfs"));

PARAM(bool, failed, false, "Show only calls that failed");

enum { CALL_FS_MAX = 256, CALL_FLAGS_MAX = LINE_MAX };

struct mount_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum mount_op op DOC("Which call it was") COL(hidden);
	g_errno error DOC("Why the call failed") COL(width=10);
	g_duration delta DOC("Time that the call took") COL(width=9);
	g_text call DOC("The call, and what it returned") COL(width=80);
	g_text fs DOC("Type of the file system; of fsconfig and fsmount what the descriptor stands "
		      "for") COL(hidden);
	g_text source DOC("What is mounted, moved or cloned; of pivot_root the new root")
		COL(hidden, ellipsis=start);
	g_text sourcepath DOC("Its absolute path, where it is a path by the call's meaning")
		COL(hidden, ellipsis=start);
	g_text dest DOC("Where; of pivot_root, where the old root goes")
		COL(hidden, ellipsis=start);
	g_text destpath DOC("Its absolute path; not of pivot_root") COL(hidden, ellipsis=start);
	g_text data DOC("Options of the file system; of fsconfig key=value; of mount_setattr what "
			"is to change") COL(hidden);
	g_text flags DOC("Flags of the call by name; of fsconfig the command; of fsmount the "
			 "mount's attributes") COL(hidden);
	__u64 flags_raw DOC("The same as a number") COL(hidden, right);
	g_fd fd DOC("Descriptor that the process got; -1: none") COL(hidden);
};
TRACER(mount, mount_event, CALL_FS_MAX + 5 * USER_PATH_MAX + LINE_MAX + CALL_FLAGS_MAX);

PENDING_MAX(mounts, mount_call, 1024);

/* ---- the record ------------------------------------------------------------------------------ */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct fs_context {
	struct file_system_type *fs_type;
	const char *source;
};

#pragma clang attribute pop

/* What stands behind a descriptor that fsopen or fspick gave; NULL: it is none. */
static __always_inline struct fs_context *context_of(int fd)
{
	const char expected[] = "[fscontext]";
	struct file *file = file_of_fd(fd);
	char name[sizeof(expected)] = {};

	if (!file)
		return NULL;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (unsigned long i = 0; i < sizeof(name); i++)
		if (name[i] != expected[i])
			return NULL;
	return BPF_CORE_READ(file, private_data);
}

/* It has lost its source when it is mounted. */
static __always_inline void fill_context(struct mount_event *e, const struct mount_call *call)
{
	struct fs_context *context = context_of(call->dest.dirfd);

	if (!context)
		return;
	text_kernel(mount, e, fs, BPF_CORE_READ(context, fs_type, name), CALL_FS_MAX);
	text_kernel(mount, e, source, BPF_CORE_READ(context, source), USER_PATH_MAX);
}

/* Data that are more than one text. */
static __always_inline void fill_data(struct mount_event *e, const struct mount_call *call)
{
	struct g_line *l = line_begin();

	if (!l)
		return;
	if (call->op == mount_setattr || call->op == open_tree_attr) {
		put_attributes(l, &call->attr);
	} else {
		line_text(l, &call->key);
		if (call->data.length > 0)
			line_put(l, "=");
		line_text(l, &call->data);
	}
	text_line(mount, e, data, l);
}

static __noinline int fill_paths(struct mount_event *e, const struct mount_call *call)
{
	text_user_taken(mount, e, source, &call->source.name, USER_PATH_MAX);
	text_user_taken(mount, e, dest, &call->dest.name, USER_PATH_MAX);
	if (call->source_is_path)
		text_user_path_full(mount, e, sourcepath, &call->source);
	if (call->dest_is_path)
		text_user_path_full(mount, e, destpath, &call->dest);
	return 0;
}

static __noinline int fill_texts(struct mount_event *e, const struct mount_call *call, __s64 ret)
{
	struct g_line *l = line_begin();

	if (!l)
		return 0;
	put_call(l, call, ret);
	text_line(mount, e, call, l);
	fill_paths(e, call);
	if (call->op == fsconfig || call->op == fsmount)
		fill_context(e, call);
	else
		text_user_taken(mount, e, fs, &call->fs, CALL_FS_MAX);
	if (call->op == mount)
		text_user_taken(mount, e, data, &call->data, USER_PATH_MAX);
	else
		fill_data(e, call);
	if (!call->flag_set)
		return 0;
	line_begin();
	put_flags(l, call);
	text_line(mount, e, flags, l);
	return 0;
}

static __always_inline bool gives_descriptor(__u32 op)
{
	return op == fsopen || op == fspick || op == fsmount || op == open_tree ||
	       op == open_tree_attr;
}

static __always_inline void look_again(struct mount_call *call)
{
	user_text_look_again(&call->fs);
	user_text_look_again(&call->key);
	user_text_look_again(&call->data);
	user_text_look_again(&call->source.name);
	user_text_look_again(&call->dest.name);
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct mount_call *call = pending_end(mounts);
	struct mount_event *e;
	__s64 ret = ctx->ret;

	if (!call || (failed && ret >= 0))
		return 0;
	e = record_begin(mount, call->container);
	if (!e)
		return 0;
	look_again(call);
	process_fill(&e->proc);
	e->op = call->op;
	e->error = ret < 0 ? -ret : 0;
	e->delta = e->timestamp - call->began;
	e->flags_raw = call->flags;
	e->fd = ret >= 0 && gives_descriptor(call->op) ? ret : -1;
	fill_texts(e, call, ret);
	record_submit(mount, e);
	return 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static __always_inline struct mount_call *begin(enum mount_op op, enum names flag_set, __u64 flags)
{
	struct mount_call *call;
	g_container c;

	if (!wanted(&c))
		return NULL;
	call = pending_begin(mounts, c);
	if (!call)
		return NULL;
	call->container = c;
	call->began = bpf_ktime_get_boot_ns();
	call->op = op;
	call->flag_set = flag_set;
	call->flags = flags;
	call->source_is_path = call->dest_is_path = false;
	user_text_none(&call->fs);
	user_text_none(&call->key);
	user_text_none(&call->data);
	user_path_none(&call->source);
	user_path_none(&call->dest);
	return call;
}

static __always_inline void take_source(struct mount_call *call, int dirfd, __u64 pointer)
{
	user_path_take(&call->source, dirfd, (const void *)pointer);
	call->source_is_path = true;
}

static __always_inline void take_dest(struct mount_call *call, int dirfd, __u64 pointer)
{
	user_path_take(&call->dest, dirfd, (const void *)pointer);
	call->dest_is_path = true;
}

static __always_inline void take_attributes(struct mount_call *call, __u64 pointer)
{
	__builtin_memset(&call->attr, 0, sizeof(call->attr));
	bpf_probe_read_user(&call->attr, sizeof(call->attr), (const void *)pointer);
}

enum {
	MS_REMOUNT = 32,
	MS_BIND = 4096,
	MS_MOVE = 8192,
	MS_MGC_VAL = 0xc0ed0000, /* stood in the upper bits once, and is still allowed there */
	MS_MGC_MSK = 0xffff0000,
};

SEC("tp/syscalls/sys_enter_mount")
int enter_mount(struct syscall_enter *ctx)
{
	__u64 flags = ctx->args[3];
	struct mount_call *call;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(__u64)MS_MGC_MSK;
	call = begin(mount, MS, flags);
	if (!call)
		return 0;
	take_source(call, AT_FDCWD, ctx->args[0]);
	call->source_is_path = flags & (MS_BIND | MS_MOVE) && !(flags & MS_REMOUNT);
	take_dest(call, AT_FDCWD, ctx->args[1]);
	user_text_take(&call->fs, (const void *)ctx->args[2]);
	user_text_take(&call->data, (const void *)ctx->args[4]);
	return 0;
}

SEC("tp/syscalls/sys_exit_mount")
int exit_mount(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* umount2, which goes by this name in the kernel */
SEC("tp/syscalls/sys_enter_umount")
int enter_umount(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(umount, UMOUNT, (__u32)ctx->args[1]);

	if (call)
		take_dest(call, AT_FDCWD, ctx->args[0]);
	return 0;
}

SEC("tp/syscalls/sys_exit_umount")
int exit_umount(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_pivot_root")
int enter_pivot_root(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(pivot_root, NONE, 0);

	if (!call)
		return 0;
	take_source(call, AT_FDCWD, ctx->args[0]);
	take_dest(call, AT_FDCWD, ctx->args[1]);
	/* Absolute paths begin at another root when it has worked. */
	call->source_is_path = call->dest_is_path = false;
	return 0;
}

SEC("tp/syscalls/sys_exit_pivot_root")
int exit_pivot_root(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_fsopen")
int enter_fsopen(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(fsopen, FSOPEN, (__u32)ctx->args[1]);

	if (call)
		user_text_take(&call->fs, (const void *)ctx->args[0]);
	return 0;
}

SEC("tp/syscalls/sys_exit_fsopen")
int exit_fsopen(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_fspick")
int enter_fspick(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(fspick, FSPICK, (__u32)ctx->args[2]);

	if (call)
		take_dest(call, ctx->args[0], ctx->args[1]);
	return 0;
}

SEC("tp/syscalls/sys_exit_fspick")
int exit_fspick(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_fsconfig")
int enter_fsconfig(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(fsconfig, FSCONFIG, (__u32)ctx->args[1]);

	if (!call)
		return 0;
	call->dest.dirfd = ctx->args[0];
	user_text_take(&call->key, (const void *)ctx->args[2]);
	user_text_take(&call->data, (const void *)ctx->args[3]);
	call->more = ctx->args[4];
	return 0;
}

SEC("tp/syscalls/sys_exit_fsconfig")
int exit_fsconfig(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_fsmount")
int enter_fsmount(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(fsmount, ATTR, (__u32)ctx->args[2]);

	if (!call)
		return 0;
	call->dest.dirfd = ctx->args[0];
	call->more = (__u32)ctx->args[1];
	return 0;
}

SEC("tp/syscalls/sys_exit_fsmount")
int exit_fsmount(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_move_mount")
int enter_move_mount(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(move_mount, MOVE, (__u32)ctx->args[4]);

	if (!call)
		return 0;
	take_source(call, ctx->args[0], ctx->args[1]);
	take_dest(call, ctx->args[2], ctx->args[3]);
	return 0;
}

SEC("tp/syscalls/sys_exit_move_mount")
int exit_move_mount(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_open_tree")
int enter_open_tree(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(open_tree, TREE, (__u32)ctx->args[2]);

	if (call)
		take_source(call, ctx->args[0], ctx->args[1]);
	return 0;
}

SEC("tp/syscalls/sys_exit_open_tree")
int exit_open_tree(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Since 6.15. */
SEC("tp/syscalls/sys_enter_open_tree_attr")
OPTIONAL int enter_open_tree_attr(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(open_tree_attr, TREE, (__u32)ctx->args[2]);

	if (!call)
		return 0;
	take_source(call, ctx->args[0], ctx->args[1]);
	take_attributes(call, ctx->args[3]);
	return 0;
}

SEC("tp/syscalls/sys_exit_open_tree_attr")
OPTIONAL int exit_open_tree_attr(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Since 5.12. */
SEC("tp/syscalls/sys_enter_mount_setattr")
OPTIONAL int enter_mount_setattr(struct syscall_enter *ctx)
{
	struct mount_call *call = begin(mount_setattr, TREE, (__u32)ctx->args[2]);

	if (!call)
		return 0;
	take_dest(call, ctx->args[0], ctx->args[1]);
	take_attributes(call, ctx->args[3]);
	return 0;
}

SEC("tp/syscalls/sys_exit_mount_setattr")
OPTIONAL int exit_mount_setattr(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- where the path has led ------------------------------------------------------------------ */

static __always_inline int found_dest(const struct path *path)
{
	struct mount_call *call = pending_peek(mounts);

	if (call)
		user_path_is(&call->dest, BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt));
	return 0;
}

SEC("kprobe/security_sb_mount")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_by_mount, const char *source, const struct path *path)
{
	return found_dest(path);
}

SEC("kprobe/security_move_mount")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_by_move, const struct path *from, const struct path *to)
{
	return found_dest(to);
}
