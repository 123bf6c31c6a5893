/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Is a task the container's own, or is it still the runtime, on its way into the container? A
 * runtime's process is put into the container's cgroup long before it execs what it is to run
 * there; until then what it does is the runtime's: a process that joins a running container (docker
 * exec, a probe), and the container's first one, where the container is known before its first
 * exec.
 *
 * runc executes a copy of itself first, perhaps after it was put there: an exec outside of the
 * container's mount namespace, in that of who put it there, is not the one that is waited for.
 *
 * ENTERED_HOOKS() defines the programs. Tasks that joined before the gadget started count as the
 * container's own.
 */
#pragma once

#include <gadget/wanted.bpf.h>

/*
 * By process, as all its threads are moved at once: the mount namespace of who put it there. A lost
 * entry is one call too many.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, g_mntns);
} g_entering SEC(".maps");

/* NULL: the current process is where it is to be. */
static __always_inline const g_mntns *g_entering_from(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&g_entering, &pid);
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mount___ns {
	/* NULL: mounted no more, as runc's copy; an error: the kernel's own, of a memfd. */
	struct mnt_namespace *mnt_ns;
};
#pragma clang attribute pop

/*
 * Does it run a program that lies outside of its mount namespace, or runc's copy of itself in
 * memory? A thread of a process that is just being moved may get here before the hook does.
 */
static __always_inline bool g_runs_from_outside(void)
{
	static const char copy[] = "memfd:runc_cloned";
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct file *file = BPF_CORE_READ(task, mm, exe_file);
	const void *mnt = BPF_CORE_READ(file, f_path.mnt);
	const struct mount___ns *mount = mnt - bpf_core_field_offset(struct mount, mnt);
	struct mnt_namespace *ns = BPF_CORE_READ(mount, mnt_ns);
	char name[sizeof(copy)] = {};

	if (!file)
		return false;
	if ((__u64)ns < -4095ull)
		return ns != BPF_CORE_READ(task, nsproxy, mnt_ns);
	bpf_probe_read_kernel(name, sizeof(name) - 1,
			      BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (__u32 i = 0; i < sizeof(copy); i++)
		if (name[i] != copy[i])
			return false;
	return true;
}

/* The current process has not come further than into the container's cgroup. */
static __always_inline bool is_entering(void)
{
	return g_entering_from() || g_runs_from_outside();
}

static __always_inline void g_enters(const struct task_struct *task, g_mntns from)
{
	__u32 pid = BPF_CORE_READ(task, tgid);

	bpf_map_update_elem(&g_entering, &pid, &from, BPF_ANY);
}

static __always_inline g_mntns g_current_mntns(void)
{
	return task_mntns((const struct task_struct *)bpf_get_current_task());
}

/* The current task is in no container that is wanted: where it puts a task, that is new. */
static __always_inline bool g_is_outside(void)
{
	g_container c;

	return !wanted_container(&c) || c == G_HOST;
}

/* Cloned into another cgroup than the current task's? */
static __always_inline bool g_is_elsewhere(const struct task_struct *child)
{
	return BPF_CORE_READ(child, cgroups, dfl_cgrp, kn, id) != bpf_get_current_cgroup_id();
}

static __always_inline void g_has_entered(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	bpf_map_delete_elem(&g_entering, &pid);
}

static __always_inline void g_is_put(const struct task_struct *task)
{
	if (g_is_outside())
		g_enters(task, g_current_mntns());
}

static __always_inline void g_is_made(const struct task_struct *child)
{
	const g_mntns *from = g_entering_from();

	if (from)
		g_enters(child, *from);
	else if (g_is_elsewhere(child))
		g_is_put(child);
}

static __always_inline void g_execs(void)
{
	const g_mntns *from = g_entering_from();

	if (from && *from != g_current_mntns())
		g_has_entered();
}

static __always_inline void g_thread_ends(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (id >> 32 == (__u32)id)
		g_has_entered();
}

#define ENTERED_HOOKS()                                              \
	/* args: cgroup, path, task, whole process? */               \
	SEC("raw_tp/cgroup_attach_task")                             \
	int g_task_attached(struct bpf_raw_tracepoint_args *ctx)     \
	{                                                            \
		g_is_put((const struct task_struct *)ctx->args[2]);  \
		return 0;                                            \
	}                                                            \
                                                                     \
	/* args: parent, child */                                    \
	SEC("raw_tp/sched_process_fork")                             \
	int g_task_forked(struct bpf_raw_tracepoint_args *ctx)       \
	{                                                            \
		g_is_made((const struct task_struct *)ctx->args[1]); \
		return 0;                                            \
	}                                                            \
                                                                     \
	SEC("raw_tp/sched_process_exec")                             \
	int g_task_execed(struct bpf_raw_tracepoint_args *ctx)       \
	{                                                            \
		g_execs();                                           \
		return 0;                                            \
	}                                                            \
                                                                     \
	SEC("raw_tp/sched_process_exit")                             \
	int g_task_exited(struct bpf_raw_tracepoint_args *ctx)       \
	{                                                            \
		g_thread_ends();                                     \
		return 0;                                            \
	}                                                            \
	extern int g_entered_hooks_end
