/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Paths of files as the current process would name them: from the file up to the process's root,
 * through mounts.
 *
 *   text_path(open, e, fpath, &file->f_path, 4096);
 *
 * Of a path with more than PATH_PARTS names or 4,096 bytes the end is kept and the text marked as
 * cut. What lies outside of the process's root (a host's file that a container was handed) is shown
 * up to the top of its mounts. A file without a name of its own (a pipe, a memfd, a deleted file)
 * has the name that its dentry has.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#define PATH_PARTS 256
#define G_PATH_MAX 4096

/*
 * The path grows downwards from the end. The second half is never written: it lets the verifier see
 * that no name passes the end.
 */
struct g_path_walk {
	struct dentry *dentry;
	struct mount *mount;
	struct dentry *root_dentry;
	struct mount *root_mount;
	__u32 at; /* where the path begins in `text` */
	char text[2 * G_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct g_path_walk);
} g_path_walks SEC(".maps");

static __always_inline struct g_path_walk *g_path_walk(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&g_path_walks, &zero);
}

static __always_inline struct mount *g_mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

enum { PATH_GO_ON, PATH_DONE, PATH_NAMELESS, PATH_CUT };

static __always_inline int g_path_prepend(struct g_path_walk *w, struct dentry *dentry)
{
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	__u64 length = BPF_CORE_READ(dentry, d_name.len), at = w->at;

	length &= 255;
	if (at < length + 1)
		return PATH_CUT;
	at -= length + 1;
	w->at = at;
	at &= G_PATH_MAX - 1;
	barrier_var(at);
	w->text[at] = '/';
	barrier_var(length); /* 6.12's verifier forgets its bound over the comparison */
	length &= 255;
	bpf_probe_read_kernel(w->text + at + 1, length, name);
	return PATH_GO_ON;
}

/*
 * One step up. A global function is verified once and by itself, not for each call, so that a loop
 * of hundreds of steps costs the verifier little; on 5.10 as well, which has no bpf_loop() and
 * refuses objects that name it.
 */
__noinline int g_path_step(void)
{
	struct g_path_walk *w = g_path_walk();
	struct dentry *dentry, *parent;
	struct mount *mount, *up;

	if (!w)
		return PATH_DONE;
	dentry = w->dentry;
	mount = w->mount;
	if (dentry == w->root_dentry && mount == w->root_mount)
		return PATH_DONE;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == parent || dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		up = BPF_CORE_READ(mount, mnt_parent);
		if (up == mount)
			return w->at == G_PATH_MAX ? PATH_NAMELESS : PATH_DONE;
		w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		w->mount = up;
		return PATH_GO_ON;
	}
	w->dentry = parent;
	return g_path_prepend(w, dentry);
}

/*
 * Walks from a place in a mount, of which the walk has been told, up to the current task's root;
 * true: not all of it went into the buffer.
 */
__noinline int g_path_climb(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct g_path_walk *w = g_path_walk();
	int step = PATH_GO_ON;

	if (!w)
		return false;
	w->root_dentry = BPF_CORE_READ(fs, root.dentry);
	w->root_mount = g_mount_of(BPF_CORE_READ(fs, root.mnt));
	w->at = G_PATH_MAX;
	for (unsigned long i = 0; i < PATH_PARTS && step == PATH_GO_ON; i++)
		step = g_path_step();
	if (step == PATH_GO_ON)
		step = PATH_CUT;
	if (step == PATH_NAMELESS) { /* the top of what is mounted nowhere: a pipe, a memfd, a
					detached file system */
		g_path_prepend(w, w->dentry);
		if (w->text[(w->at + 1) & (G_PATH_MAX - 1)] == '/')
			w->at = G_PATH_MAX - 1;
	} else if (w->at == G_PATH_MAX) {
		w->text[--w->at & (G_PATH_MAX - 1)] = '/';
	}
	return step == PATH_CUT;
}

static __always_inline bool g_path_resolve(struct dentry *dentry, struct mount *mount)
{
	struct g_path_walk *w = g_path_walk();

	if (!w)
		return false;
	w->dentry = dentry;
	w->mount = mount;
	return g_path_climb();
}

/* The path of `path` (a struct path * in kernel memory) as text of record `e` of source NAME. */
#define text_path(NAME, e, field, path_, cap)                                      \
	do {                                                                       \
		const struct path *from_ = (path_);                                \
                                                                                   \
		if (from_)                                                         \
			text_path_of(NAME, e, field, BPF_CORE_READ(from_, dentry), \
				     g_mount_of(BPF_CORE_READ(from_, mnt)), cap);  \
	} while (0)

/* The same of a dentry in a mount (struct mount). */
#define text_path_of(NAME, e, field, dentry, mount, cap)                             \
	do {                                                                         \
		bool cut_path_ = g_path_resolve(dentry, mount);                      \
		struct g_path_walk *w_ = g_path_walk();                              \
                                                                                     \
		if (w_) {                                                            \
			__u32 begin_ = w_->at;                                       \
                                                                                     \
			text_kernel_bytes(NAME, e, field, (char *)w_->text + begin_, \
					  G_PATH_MAX - begin_, cap);                 \
			if (cut_path_)                                               \
				(e)->field.length |= G_TRUNCATED;                    \
		}                                                                    \
	} while (0)
