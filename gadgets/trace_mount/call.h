/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of trace_mount.bpf.c: what is kept of a call, and the call as a line of text.
 */
#pragma once

#include <gadget/line.bpf.h>
#include <gadget/user_path.bpf.h>

enum mount_op {
	mount,
	umount,
	fsopen,
	fspick,
	fsconfig,
	fsmount,
	move_mount,
	open_tree,
	open_tree_attr,
	mount_setattr,
	pivot_root,
};

/* struct mount_attr of the kernel's interface */
struct attributes {
	__u64 set, clear, propagation, userns_fd;
};

struct mount_call {
	g_container container;
	__u64 began;
	__u32 op;
	__u32 flag_set; /* which names the flags have */
	__u64 flags;
	__u64 more; /* a second number: fsconfig's aux, flags of fsmount */
	__u32 source_is_path, dest_is_path;
	struct user_text fs, data, key;
	struct user_path source, dest; /* descriptors of calls that have no path are dest.dirfd */
	struct attributes attr;
};
/* ---- names ----------------------------------------------------------------------------------- */

enum names { NONE, MS, UMOUNT, FSOPEN, FSPICK, FSCONFIG, FSMOUNT, ATTR, MOVE, TREE, ERROR };

/* include/uapi/linux/mount.h and fcntl.h of the kernel; errors that these calls are known for */
static const struct line_name names[] = {
	{MS, 1, "MS_RDONLY"},
	{MS, 2, "MS_NOSUID"},
	{MS, 4, "MS_NODEV"},
	{MS, 8, "MS_NOEXEC"},
	{MS, 16, "MS_SYNCHRONOUS"},
	{MS, 32, "MS_REMOUNT"},
	{MS, 64, "MS_MANDLOCK"},
	{MS, 128, "MS_DIRSYNC"},
	{MS, 256, "MS_NOSYMFOLLOW"},
	{MS, 1024, "MS_NOATIME"},
	{MS, 2048, "MS_NODIRATIME"},
	{MS, 4096, "MS_BIND"},
	{MS, 8192, "MS_MOVE"},
	{MS, 16384, "MS_REC"},
	{MS, 32768, "MS_SILENT"},
	{MS, 1 << 16, "MS_POSIXACL"},
	{MS, 1 << 17, "MS_UNBINDABLE"},
	{MS, 1 << 18, "MS_PRIVATE"},
	{MS, 1 << 19, "MS_SLAVE"},
	{MS, 1 << 20, "MS_SHARED"},
	{MS, 1 << 21, "MS_RELATIME"},
	{MS, 1 << 23, "MS_I_VERSION"},
	{MS, 1 << 24, "MS_STRICTATIME"},
	{MS, 1 << 25, "MS_LAZYTIME"},
	{UMOUNT, 1, "MNT_FORCE"},
	{UMOUNT, 2, "MNT_DETACH"},
	{UMOUNT, 4, "MNT_EXPIRE"},
	{UMOUNT, 8, "UMOUNT_NOFOLLOW"},
	{FSOPEN, 1, "FSOPEN_CLOEXEC"},
	{FSPICK, 1, "FSPICK_CLOEXEC"},
	{FSPICK, 2, "FSPICK_SYMLINK_NOFOLLOW"},
	{FSPICK, 4, "FSPICK_NO_AUTOMOUNT"},
	{FSPICK, 8, "FSPICK_EMPTY_PATH"},
	{FSCONFIG, 0, "FSCONFIG_SET_FLAG"},
	{FSCONFIG, 1, "FSCONFIG_SET_STRING"},
	{FSCONFIG, 2, "FSCONFIG_SET_BINARY"},
	{FSCONFIG, 3, "FSCONFIG_SET_PATH"},
	{FSCONFIG, 4, "FSCONFIG_SET_PATH_EMPTY"},
	{FSCONFIG, 5, "FSCONFIG_SET_FD"},
	{FSCONFIG, 6, "FSCONFIG_CMD_CREATE"},
	{FSCONFIG, 7, "FSCONFIG_CMD_RECONFIGURE"},
	{FSCONFIG, 8, "FSCONFIG_CMD_CREATE_EXCL"},
	{FSMOUNT, 1, "FSMOUNT_CLOEXEC"},
	{ATTR, 0x1, "MOUNT_ATTR_RDONLY"},
	{ATTR, 0x2, "MOUNT_ATTR_NOSUID"},
	{ATTR, 0x4, "MOUNT_ATTR_NODEV"},
	{ATTR, 0x8, "MOUNT_ATTR_NOEXEC"},
	{ATTR, 0x70, "MOUNT_ATTR__ATIME"},
	{ATTR, 0x10, "MOUNT_ATTR_NOATIME"},
	{ATTR, 0x20, "MOUNT_ATTR_STRICTATIME"},
	{ATTR, 0x80, "MOUNT_ATTR_NODIRATIME"},
	{ATTR, 0x100000, "MOUNT_ATTR_IDMAP"},
	{ATTR, 0x200000, "MOUNT_ATTR_NOSYMFOLLOW"},
	{MOVE, 0x1, "MOVE_MOUNT_F_SYMLINKS"},
	{MOVE, 0x2, "MOVE_MOUNT_F_AUTOMOUNTS"},
	{MOVE, 0x4, "MOVE_MOUNT_F_EMPTY_PATH"},
	{MOVE, 0x10, "MOVE_MOUNT_T_SYMLINKS"},
	{MOVE, 0x20, "MOVE_MOUNT_T_AUTOMOUNTS"},
	{MOVE, 0x40, "MOVE_MOUNT_T_EMPTY_PATH"},
	{MOVE, 0x100, "MOVE_MOUNT_SET_GROUP"},
	{MOVE, 0x200, "MOVE_MOUNT_BENEATH"},
	{TREE, 0x1, "OPEN_TREE_CLONE"},
	{TREE, 02000000, "OPEN_TREE_CLOEXEC"},
	{TREE, AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
	{TREE, 0x800, "AT_NO_AUTOMOUNT"},
	{TREE, AT_EMPTY_PATH, "AT_EMPTY_PATH"},
	{TREE, 0x8000, "AT_RECURSIVE"},
	{ERROR, 1, "EPERM"},
	{ERROR, ENOENT, "ENOENT"},
	{ERROR, EINTR, "EINTR"},
	{ERROR, 5, "EIO"},
	{ERROR, 6, "ENXIO"},
	{ERROR, 7, "E2BIG"},
	{ERROR, EBADF, "EBADF"},
	{ERROR, EAGAIN, "EAGAIN"},
	{ERROR, 12, "ENOMEM"},
	{ERROR, 13, "EACCES"},
	{ERROR, EFAULT, "EFAULT"},
	{ERROR, 15, "ENOTBLK"},
	{ERROR, 16, "EBUSY"},
	{ERROR, 17, "EEXIST"},
	{ERROR, 18, "EXDEV"},
	{ERROR, 19, "ENODEV"},
	{ERROR, 20, "ENOTDIR"},
	{ERROR, 21, "EISDIR"},
	{ERROR, EINVAL, "EINVAL"},
	{ERROR, 24, "EMFILE"},
	{ERROR, 28, "ENOSPC"},
	{ERROR, 30, "EROFS"},
	{ERROR, 36, "ENAMETOOLONG"},
	{ERROR, 38, "ENOSYS"},
	{ERROR, 40, "ELOOP"},
	{ERROR, 95, "EOPNOTSUPP"},
	{ERROR, 110, "ETIMEDOUT"},
	{ERROR, 111, "ECONNREFUSED"},
	{ERROR, 116, "ESTALE"},
	{ERROR, 117, "EUCLEAN"},
};
LINE_NAMES(names);

/* ---- the call as a line ---------------------------------------------------------------------- */

static __always_inline void put_flags(struct g_line *l, const struct mount_call *call)
{
	if (call->flag_set == FSCONFIG)
		line_word(FSCONFIG, call->flags);
	else
		line_flags(l, call->flag_set, call->flags);
}

static __always_inline void put_attributes(struct g_line *l, const struct attributes *a)
{
	line_put(l, "attr_set=");
	line_flags(l, ATTR, a->set);
	line_put(l, ", attr_clr=");
	line_flags(l, ATTR, a->clear);
	line_put(l, ", propagation=");
	line_flags(l, MS, a->propagation);
	line_put(l, ", userns_fd=");
	line_number(a->userns_fd);
}

static __always_inline void put_path(struct g_line *l, const struct user_path *p)
{
	line_dirfd(l, p->dirfd);
	line_put(l, ", ");
	line_string(l, &p->name);
}

static __noinline int put_old_call(struct g_line *l, const struct mount_call *call)
{
	switch (call->op) {
	case mount:
		line_put(l, "mount(");
		line_string(l, &call->source.name);
		line_put(l, ", ");
		line_string(l, &call->dest.name);
		line_put(l, ", ");
		line_string(l, &call->fs);
		line_put(l, ", ");
		put_flags(l, call);
		line_put(l, ", ");
		line_string(l, &call->data);
		break;
	case umount:
		line_put(l, "umount(");
		line_string(l, &call->dest.name);
		line_put(l, ", ");
		put_flags(l, call);
		break;
	case pivot_root:
		line_put(l, "pivot_root(");
		line_string(l, &call->source.name);
		line_put(l, ", ");
		line_string(l, &call->dest.name);
		break;
	}
	return 0;
}

/* Calls on the descriptor of a file system to be. */
static __noinline int put_fs_call(struct g_line *l, const struct mount_call *call)
{
	switch (call->op) {
	case fsopen:
		line_put(l, "fsopen(");
		line_string(l, &call->fs);
		line_put(l, ", ");
		put_flags(l, call);
		break;
	case fsconfig:
		line_put(l, "fsconfig(");
		line_number(call->dest.dirfd);
		line_put(l, ", ");
		put_flags(l, call);
		line_put(l, ", ");
		line_string(l, &call->key);
		line_put(l, ", ");
		line_string(l, &call->data);
		line_put(l, ", ");
		line_number(call->more);
		break;
	case fsmount:
		line_put(l, "fsmount(");
		line_number(call->dest.dirfd);
		line_put(l, ", ");
		line_flags(l, FSMOUNT, call->more);
		line_put(l, ", ");
		put_flags(l, call);
		break;
	}
	return 0;
}

static __noinline int put_tree_call(struct g_line *l, const struct mount_call *call)
{
	switch (call->op) {
	case fspick:
		line_put(l, "fspick(");
		put_path(l, &call->dest);
		break;
	case move_mount:
		line_put(l, "move_mount(");
		put_path(l, &call->source);
		line_put(l, ", ");
		put_path(l, &call->dest);
		break;
	case open_tree:
		line_put(l, "open_tree(");
		put_path(l, &call->source);
		break;
	case open_tree_attr:
		line_put(l, "open_tree_attr(");
		put_path(l, &call->source);
		break;
	case mount_setattr:
		line_put(l, "mount_setattr(");
		put_path(l, &call->dest);
		break;
	}
	line_put(l, ", ");
	put_flags(l, call);
	if (call->op == mount_setattr || call->op == open_tree_attr) {
		line_put(l, ", {");
		put_attributes(l, &call->attr);
		line_put(l, "}");
	}
	return 0;
}

static __always_inline void put_call(struct g_line *l, const struct mount_call *call, __s64 ret)
{
	if (call->op == mount || call->op == umount || call->op == pivot_root)
		put_old_call(l, call);
	else if (call->op == fsopen || call->op == fsconfig || call->op == fsmount)
		put_fs_call(l, call);
	else
		put_tree_call(l, call);
	if (ret < 0) {
		line_put(l, ") = -");
		line_word(ERROR, -ret);
	} else {
		line_put(l, ") = ");
		line_number(ret);
	}
}
