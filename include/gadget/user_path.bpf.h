/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Paths that calls are given: a folder's descriptor (or AT_FDCWD) and a name below it. Both as the
 * process passed them and as one absolute path, as the process's root has it.
 *
 *   user_path_take(&call->path, dirfd, pointer);       at the enter: copies the name
 *   text_user_path(unlink, e, fname, &call->path);     at the exit: as it was passed
 *   text_user_path_full(unlink, e, fpath, &call->path);    the absolute path
 *
 * The absolute path is that of the descriptor or working directory, walked up through its mounts,
 * and the name, of which `.` and `..` are taken out. Which names are symbolic links the text does
 * not tell: they stay as they are, and `..` behind one is taken for the folder that holds the link.
 * A program on one of the kernel's functions that are given what a path led to can say it, between
 * enter and exit, and then it is exact: user_path_is_in(), user_path_is().
 *
 * Each text takes up to USER_PATH_MAX bytes of the tail. Of longer paths, and of those with more
 * than PATH_PARTS names, the absolute one keeps the end and is marked as cut.
 */
#pragma once

#include <gadget/path.bpf.h>
#include <gadget/user_text.bpf.h>

#define USER_PATH_MAX G_PATH_MAX

/* For CANNOT_TELL() of programs that would call user_path_is() or user_path_is_in(). */
#define USER_PATH_BY_NAME                                                                  \
	"absolute paths behind symbolic links: names of links stay in the path, and `..` " \
	"behind one is taken for the folder of the link"

/* What is known besides the name: `dirfd` is the file; `dentry` and `mnt` are its folder, or it. */
enum g_path_known { G_KNOWN_NOT, G_KNOWN_FD, G_KNOWN_FOLDER, G_KNOWN_FILE };

struct user_path {
	struct user_text name;
	__s32 dirfd;
	__u16 known;	 /* enum g_path_known */
	__u16 may_be_fd; /* an empty name stands for `dirfd` itself */
	__u64 dentry, mnt;
};

static __always_inline void user_path_take(struct user_path *p, int dirfd, const void *pointer)
{
	user_text_take(&p->name, pointer);
	p->dirfd = dirfd;
	p->known = G_KNOWN_NOT;
	p->may_be_fd = false;
}

/* The call names its file by a descriptor alone. */
static __always_inline void user_path_take_fd(struct user_path *p, int fd)
{
	user_text_none(&p->name);
	p->dirfd = fd;
	p->known = G_KNOWN_FD;
}

static __always_inline void user_path_none(struct user_path *p)
{
	user_path_take_fd(p, -1);
}

/* For calls that may have AT_EMPTY_PATH in their flags. */
static __always_inline void user_path_take_at(struct user_path *p, int dirfd, const void *pointer,
					      __u32 flags)
{
	user_path_take(p, dirfd, pointer);
	p->may_be_fd = (flags & AT_EMPTY_PATH) != 0;
}

/* The kernel has found it: `folder` holds the path's last name. */
static __always_inline void user_path_is_in(struct user_path *p, const struct path *folder)
{
	p->known = G_KNOWN_FOLDER;
	p->dentry = (__u64)BPF_CORE_READ(folder, dentry);
	p->mnt = (__u64)BPF_CORE_READ(folder, mnt);
}

/* The kernel has found it: it is this one, which outlives the call. */
static __always_inline void user_path_is(struct user_path *p, const struct dentry *dentry,
					 const struct vfsmount *mnt)
{
	p->known = G_KNOWN_FILE;
	p->dentry = (__u64)dentry;
	p->mnt = (__u64)mnt;
}

/* As it was passed. */
#define text_user_path(NAME, e, field, p) text_user_taken(NAME, e, field, &(p)->name, USER_PATH_MAX)

/* ---- the absolute path ----------------------------------------------------------------------- */

/* The name's first `end` bytes are not yet looked at: it is taken apart from its end on. */
struct g_name {
	__u32 end, begin;
	__s32 dirfd;
	bool cut; /* it is longer */
	__u64 known, dentry, mnt;
	char text[G_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct g_name);
} g_names SEC(".maps");

static __always_inline struct g_name *g_name(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&g_names, &zero);
}

/* A name has up to 255 bytes; longer ones are cut. */
#define G_NAME_STEPS 15
#define G_NAME_STEP_BYTES 17

/*
 * Looks for the beginning of the last name, some bytes at once. With its result in memory, so that
 * the verifier looks once at what comes after, and not once for each length that a name may have.
 */
__noinline int g_name_find(void)
{
	struct g_name *n = g_name();
	int step = PATH_GO_ON;
	__u32 begin;

	if (!n)
		return PATH_DONE;
	begin = n->begin;
	for (unsigned long i = 0; i < G_NAME_STEP_BYTES; i++) {
		if (!begin || n->text[(begin - 1) & (G_PATH_MAX - 1)] == '/') {
			step = PATH_DONE;
			break;
		}
		begin--;
	}
	n->begin = begin;
	return step;
}

/*
 * Takes the last name off what is left, or no more than one where its folder is known. A global
 * function, as g_path_step() is.
 */
__noinline int g_name_step(void)
{
	struct g_path_walk *w = g_path_walk();
	struct g_name *n = g_name();
	int step = PATH_GO_ON;
	__u32 begin, length;
	char *at;

	if (!w || !n || !n->end || (n->known == G_KNOWN_FOLDER && w->at != G_PATH_MAX))
		return PATH_DONE;
	n->begin = n->end;
	for (unsigned long i = 0; i < G_NAME_STEPS && step == PATH_GO_ON; i++)
		step = g_name_find();
	begin = n->begin;
	length = n->end - begin;
	at = n->text + (begin & (G_PATH_MAX - 1));
	n->end = begin ? begin - 1 : 0;
	if (!length || (length == 1 && at[0] == '.'))
		return PATH_GO_ON;
	if (length == 2 && at[0] == '.' && n->text[(begin + 1) & (G_PATH_MAX - 1)] == '.') {
		w->up++;
		return PATH_GO_ON;
	}
	if (w->up) {
		w->up--;
		return PATH_GO_ON;
	}
	if (g_path_prepend(w, at, length) == PATH_CUT)
		return PATH_CUT;
	return begin && n->text[(begin - 1) & (G_PATH_MAX - 1)] != '/' ? PATH_CUT : PATH_GO_ON;
}

/* What a relative path begins at. */
static __always_inline const struct path *g_name_base(const struct g_name *n)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fs_struct *fs;
	struct file *file;

	if (n->dirfd == AT_FDCWD) {
		fs = BPF_CORE_READ(task, fs);
		return &fs->pwd;
	}
	file = file_of_fd(n->dirfd);
	return file ? &file->f_path : NULL;
}

/* As g_path_steps(). */
__noinline int g_name_steps(void)
{
	int step = PATH_GO_ON;

	for (unsigned long i = 0; i < G_PATH_STEPS && step == PATH_GO_ON; i++)
		step = g_name_step();
	return step;
}

/* The name's parts, the last one first; true: not all of them. */
static __always_inline bool g_name_take(const struct g_name *n)
{
	int step = PATH_GO_ON;

	for (unsigned long i = 0; i < G_PATH_STEPS && step == PATH_GO_ON; i++)
		step = g_name_steps();
	return step != PATH_DONE || n->cut;
}

/* Into the walk's buffer; true: not all of it. */
__noinline int g_name_resolve(void)
{
	struct g_path_walk *w = g_path_walk();
	struct g_name *n = g_name();
	const struct path *base;
	bool cut = false;

	if (!w || !n)
		return false;
	w->at = G_PATH_MAX;
	w->up = 0;
	if (n->known == G_KNOWN_NOT || n->known == G_KNOWN_FOLDER)
		cut = g_name_take(n);
	if (n->known >= G_KNOWN_FOLDER)
		return g_path_walk_up(w, (struct dentry *)n->dentry, (struct vfsmount *)n->mnt) ||
		       cut;
	if (cut)
		return true;
	if (n->known == G_KNOWN_NOT && n->text[0] == '/') {
		if (w->at == G_PATH_MAX)
			w->text[--w->at & (G_PATH_MAX - 1)] = '/';
		return false;
	}
	base = g_name_base(n);
	if (!base) {
		w->at = G_PATH_MAX; /* nothing is known */
		return false;
	}
	return g_path_walk_up(w, BPF_CORE_READ(base, dentry), BPF_CORE_READ(base, mnt));
}

/* False: the name is empty, or cannot be read. */
static __always_inline bool g_name_set(const struct user_path *p)
{
	struct g_name *n = g_name();
	__s64 length;

	if (!n)
		return false;
	n->known = p->known;
	n->dentry = p->dentry;
	n->mnt = p->mnt;
	n->dirfd = p->dirfd;
	if (p->known == G_KNOWN_FD || p->known == G_KNOWN_FILE)
		return true;
	length = p->name.length;
	if (user_text_whole(&p->name))
		g_copy_words(n->text, p->name.text, USER_TEXT_COPY);
	else
		length = user_text_read(n->text, sizeof(n->text), p->name.pointer);
	if (length == 1 && p->may_be_fd) {
		n->known = G_KNOWN_FD;
		return true;
	}
	if (length <= 1)
		return false;
	n->end = length - 1;
	n->cut = length == sizeof(n->text);
	return true;
}

/* Nothing where it is not known: a bad descriptor or address. */
#define text_user_path_full(NAME, e, field, p)                                          \
	do {                                                                            \
		if (g_name_set(p))                                                      \
			g_text_walked(NAME, e, field, g_name_resolve(), USER_PATH_MAX); \
	} while (0)
