/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Paths of files as the current process (or another) would name them: from the file up to the
 * process's root, through mounts.
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

#define PATH_PARTS 256 /* G_PATH_STEPS squared */
#define G_PATH_STEPS 16
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
	struct task_struct *task;	  /* whose root ends the path; NULL: the current one's */
	const struct path *volatile from; /* text_path_of_task() */
	__u32 at;			  /* where the path begins in `text` */
	__u32 up; /* so many names on the way up are left out: `..` takes them back */
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

/* Puts "/" and a name of up to 255 bytes in kernel memory (or a map) before the path. */
static __always_inline int g_path_prepend(struct g_path_walk *w, const void *name, __u64 length)
{
	__u64 at = w->at;

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

static __always_inline int g_path_prepend_dentry(struct g_path_walk *w, struct dentry *dentry)
{
	return g_path_prepend(w, BPF_CORE_READ(dentry, d_name.name),
			      BPF_CORE_READ(dentry, d_name.len));
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
	if (w->up) {
		w->up--;
		return PATH_GO_ON;
	}
	return g_path_prepend_dentry(w, dentry);
}

/* Some at once: the verifier follows 2 * 16 of them in this way, and not 256. */
__noinline int g_path_steps(void)
{
	int step = PATH_GO_ON;

	for (unsigned long i = 0; i < G_PATH_STEPS && step == PATH_GO_ON; i++)
		step = g_path_step();
	return step;
}

/*
 * From a place up to the current task's root, before what `w` holds already. True: not all of it
 * went into the buffer.
 */
static __always_inline bool g_path_walk_up(struct g_path_walk *w, struct dentry *dentry,
					   struct vfsmount *mnt)
{
	struct task_struct *task = w->task;
	struct fs_struct *fs;
	int step = PATH_GO_ON;

	if (!task)
		task = (struct task_struct *)bpf_get_current_task();
	fs = BPF_CORE_READ(task, fs);
	w->dentry = dentry;
	w->mount = g_mount_of(mnt);
	w->root_dentry = BPF_CORE_READ(fs, root.dentry);
	w->root_mount = g_mount_of(BPF_CORE_READ(fs, root.mnt));
	for (unsigned long i = 0; i < G_PATH_STEPS && step == PATH_GO_ON; i++)
		step = g_path_steps();
	if (step == PATH_GO_ON)
		step = PATH_CUT;
	if (step == PATH_NAMELESS) { /* the top of what is mounted nowhere: a pipe, a memfd, a
					detached file system */
		g_path_prepend_dentry(w, w->dentry);
		if (w->text[(w->at + 1) & (G_PATH_MAX - 1)] == '/')
			w->at = G_PATH_MAX - 1;
	} else if (w->at == G_PATH_MAX) {
		w->text[--w->at & (G_PATH_MAX - 1)] = '/';
	}
	return step == PATH_CUT;
}

/* A dentry and a struct vfsmount in kernel memory; true: not all of the path went into the buffer.
 */
__noinline int g_path_resolve_in(__u64 dentry, __u64 mnt)
{
	struct g_path_walk *w = g_path_walk();

	if (!w || !dentry || !mnt)
		return false;
	w->at = G_PATH_MAX;
	w->up = 0;
	return g_path_walk_up(w, (struct dentry *)dentry, (struct vfsmount *)mnt);
}

/* A struct path in kernel memory; as g_path_resolve_in(). */
__noinline int g_path_resolve(__u64 where)
{
	const struct path *path = (const void *)where;
	struct g_path_walk *w = g_path_walk();

	if (!w || !where)
		return false;
	w->at = G_PATH_MAX;
	w->up = 0;
	return g_path_walk_up(w, BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt));
}

/* What the buffer holds as text of record `e` of source NAME; cut: whether it is not all. */
#define g_text_walked(NAME, e, field, cut, cap)                                      \
	do {                                                                         \
		bool cut_path_ = (cut);                                              \
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

/* The path of `path` (a struct path * in kernel memory) as text of record `e` of source NAME. */
#define text_path(NAME, e, field, path, cap) \
	g_text_walked(NAME, e, field, g_path_resolve((__u64)(path)), cap)

/* The same of a dentry in a mount (struct mount *). */
#define text_path_of(NAME, e, field, dentry, mount_, cap)                                      \
	g_text_walked(                                                                         \
		NAME, e, field,                                                                \
		g_path_resolve_in((__u64)(dentry),                                             \
				  (__u64)(mount_) + bpf_core_field_offset(struct mount, mnt)), \
		cap)

/*
 * The same as another task would name it: for iterators, which then use no text_path(). What they
 * are given are pointers of a kind that global functions refuse; read from a map they are numbers.
 */
#define text_path_of_task(NAME, e, field, path, of, cap)           \
	do {                                                       \
		struct g_path_walk *of_ = g_path_walk();           \
                                                                   \
		if (of_) {                                         \
			of_->task = (of);                          \
			of_->from = (path);                        \
			text_path(NAME, e, field, of_->from, cap); \
		}                                                  \
	} while (0)
