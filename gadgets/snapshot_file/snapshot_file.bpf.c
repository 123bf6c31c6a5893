// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* Files that processes have open, run or have mapped, found by going through all tasks. */
#include <gadget/path.bpf.h>

GADGET("Show the files that containers have open\n"
       "Each descriptor of each process with path, type, flags, size and whether the file was "
       "deleted since (its room on the disk is not free before it is closed); the running program "
       "and the working directory as well. Regular files and directories, unless --type-mask says "
       "otherwise; --mapped adds libraries and other executable files that are mapped.",
       LIMITS("Files in flight over a unix socket, and those held by io_uring alone, are in no "
	      "process's table and are not shown. A path is the one by which the file was opened, "
	      "as "
	      "its folders are called now.")
	       SELFTEST("sleep 1 </etc/passwd; true", "path==/etc/passwd"));

PARAM(__u32, type_mask, 17,
      "Types to show, a sum of: 1 regular, 2 character device, 4 block device, 8 pipe, 16 "
      "directory, 32 socket, 64 others (eventfd, epoll …)");
PARAM(bool, paths, true, "Resolve paths; else the files' own names alone");
PARAM(bool, mapped, false, "Show mapped executable files as well (since Linux 5.12)");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode___links {
	unsigned int i_nlink;
};
struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};
struct bpf_iter__task_vma { /* since 5.12 */
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFBLK 0060000
#define VM_EXEC 4

enum file_use { descriptor, program, folder, mapping };

enum file_type {
	regular = 1,
	character = 2,
	block = 4,
	pipe = 8,
	directory = 16,
	socket = 32,
	other = 64,
};

struct file_entry {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum file_use use DOC("descriptor; program: what it runs; folder: its working directory; "
			      "mapping: mapped and executable") COL(width = 10);
	g_fd fd DOC("Number of the descriptor; -1: it is none");
	enum file_type type DOC("regular, character, block, pipe, directory, socket, other")
		COL(width = 9);
	g_open_flags flags DOC("O_…, as a descriptor was opened") COL(width = 20);
	g_bytes size DOC("Size of a regular file");
	__s64 pos DOC("Where the next read or write is") COL(hidden);
	g_bool deleted DOC("It has no name any more, or never had one (memfd, O_TMPFILE)")
		COL(width = 7);
	g_dev dev DOC("Device of its file system") COL(hidden);
	g_inode inode DOC("Inode number") COL(hidden);
	g_text path DOC("Path as the process would name it; without --paths its last part")
		COL(width = 40, ellipsis = start);
};
SNAPSHOT(files, file_entry, 4096, SORT("proc.pid,use,fd"));

static __always_inline enum file_type type_of(const struct inode *inode)
{
	switch (BPF_CORE_READ(inode, i_mode) & S_IFMT) {
	case S_IFREG:
		return regular;
	case S_IFCHR:
		return character;
	case S_IFBLK:
		return block;
	case S_IFIFO:
		return pipe;
	case S_IFDIR:
		return directory;
	case S_IFSOCK:
		return socket;
	}
	return other;
}

static __always_inline void fill_path(struct file_entry *e, const struct path *path,
				      struct task_struct *task)
{
	struct dentry *dentry;

	if (paths) {
		text_path_of_task(files, e, path, path, task, 4096);
		return;
	}
	dentry = BPF_CORE_READ(path, dentry);
	text_kernel(files, e, path, BPF_CORE_READ(dentry, d_name.name), 256);
}

static __always_inline void fill_inode(struct file_entry *e, const struct inode *inode)
{
	e->inode = BPF_CORE_READ(inode, i_ino);
	e->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (e->type == regular)
		e->size = BPF_CORE_READ(inode, i_size);
	if (e->type == regular || e->type == directory)
		e->deleted = !BPF_CORE_READ((const struct inode___links *)inode, i_nlink);
}

/* A row of what is wanted, with all that the path tells; NULL: not wanted. */
static __always_inline struct file_entry *begin(struct task_struct *task, const struct path *path,
						enum file_use use, __u32 types)
{
	const struct inode *inode = BPF_CORE_READ(path, dentry, d_inode);
	enum file_type type = type_of(inode);
	struct file_entry *e;
	g_container c;

	if (!inode || !(type & types) || !wanted_task(task, &c))
		return NULL;
	e = record_begin(files, c);
	if (!e)
		return NULL;
	process_fill_task(&e->proc, task);
	e->use = use;
	e->fd = -1;
	e->type = type;
	fill_inode(e, inode);
	fill_path(e, path, task);
	return e;
}

/* Threads that share their files with the first one: 5.10 gives these files for each. */
static __always_inline bool is_repeated(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return task != leader && BPF_CORE_READ(task, files) == BPF_CORE_READ(leader, files);
}

SEC("iter/task_file")
int each_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct file_entry *e;

	if (!task || !file || is_repeated(task))
		return 0;
	e = begin(task, &file->f_path, descriptor, type_mask);
	if (!e)
		return 0;
	e->fd = ctx->fd;
	e->flags = BPF_CORE_READ(file, f_flags);
	e->pos = BPF_CORE_READ(file, f_pos);
	snapshot_row(files, e, ctx->meta->seq);
	return 0;
}

/* The program that a process runs, and where it stands. */
SEC("iter/task")
int each_process(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct file_entry *e;
	struct file *program_file;
	struct fs_struct *fs;

	if (!task || task->pid != task->tgid)
		return 0;
	program_file = BPF_CORE_READ(task, mm, exe_file);
	fs = BPF_CORE_READ(task, fs);
	if (!program_file || !fs) /* a kernel thread, or it is gone */
		return 0;
	e = begin(task, &program_file->f_path, program, type_mask);
	if (e)
		snapshot_row(files, e, ctx->meta->seq);
	e = begin(task, &fs->pwd, folder, type_mask);
	if (e)
		snapshot_row(files, e, ctx->meta->seq);
	return 0;
}

SEC("iter/task_vma")
WHEN(mapped)
CANNOT_TELL("files that are mapped (--mapped)") int each_mapping(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct file_entry *e;
	struct file *file;

	if (!task || !vma || task->pid != task->tgid)
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	if (!file || !(BPF_CORE_READ(vma, vm_flags) & VM_EXEC) ||
	    file == BPF_CORE_READ(task, mm, exe_file))
		return 0;
	e = begin(task, &file->f_path, mapping, type_mask);
	if (e)
		snapshot_row(files, e, ctx->meta->seq);
	return 0;
}
