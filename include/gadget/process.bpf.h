/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: contexts of programs, and the fields that describe a process.
 */
#pragma once

#include <gadget/wanted.bpf.h>

/*
 * Contexts of SEC("tp/syscalls/sys_enter_NAME") and sys_exit_NAME. Do not touch arguments that the
 * call does not have.
 */
struct syscall_enter {
	__u64 common;
	__s64 nr;
	__u64 args[6];
};

struct syscall_exit {
	__u64 common;
	__s64 nr;
	__s64 ret;
};

/*
 * Any task: for iterators, and where the kernel lets a program not look at its current task
 * directly.
 */
static __always_inline void process_fill_task(struct g_process *p, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	/* All 16 bytes go into keys of tables: none may be left from what lay there before. */
	__builtin_memset(p->comm, 0, sizeof(p->comm));
	__builtin_memset(p->parent.comm, 0, sizeof(p->parent.comm));
	bpf_core_read_str(p->comm, sizeof(p->comm), &task->comm);
	p->pid = BPF_CORE_READ(task, tgid);
	p->tid = BPF_CORE_READ(task, pid);
	p->creds.uid = BPF_CORE_READ(task, cred, uid.val);
	p->creds.gid = BPF_CORE_READ(task, cred, gid.val);
	p->parent.pid = BPF_CORE_READ(parent, tgid);
	bpf_core_read_str(p->parent.comm, sizeof(p->parent.comm), &parent->comm);
	p->mntns_id = task_mntns(task);
}

/* All 16 bytes, as two numbers: the kernel's names end with a NUL. */
#define g_comm_copy(to, from)                                    \
	do {                                                     \
		((__u64 *)(to))[0] = ((const __u64 *)(from))[0]; \
		((__u64 *)(to))[1] = ((const __u64 *)(from))[1]; \
	} while (0)

/* The current process. */
static __always_inline void process_fill(struct g_process *p)
{
	__u64 owner = bpf_get_current_uid_gid();
	struct task_struct *task, *parent;

	if (!g_typed_task()) {
		process_fill_task(p, (struct task_struct *)bpf_get_current_task());
		return;
	}
	task = bpf_get_current_task_btf();
	parent = task->real_parent;
	g_comm_copy(p->comm, task->comm);
	p->pid = task->tgid;
	p->tid = task->pid;
	p->creds.uid = (__u32)owner;
	p->creds.gid = owner >> 32;
	p->parent.pid = parent->tgid;
	g_comm_copy(p->parent.comm, parent->comm);
	p->mntns_id = task->nsproxy->mnt_ns->ns.inum;
}

/* A task's process by the name of its first thread, for keys of tables that count by process. */
static __always_inline void process_of(const struct task_struct *task, char comm[16], g_pid *pid)
{
	const struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	__builtin_memset(comm, 0, 16);
	bpf_core_read_str(comm, 16, &leader->comm);
	*pid = BPF_CORE_READ(task, tgid);
}

/* The current process's file behind descriptor `fd`; NULL: none. */
static __always_inline struct file *file_of_fd(int fd)
{
	struct task_struct *task;
	struct fdtable *table;
	struct file **files, *file = NULL;
	__u32 max;

	if (g_typed_task()) {
		table = bpf_get_current_task_btf()->files->fdt;
		files = table->fd;
		max = table->max_fds;
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		table = BPF_CORE_READ(task, files, fdt);
		files = BPF_CORE_READ(table, fd);
		max = BPF_CORE_READ(table, max_fds);
	}
	if (fd < 0 || (__u32)fd >= max)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}
