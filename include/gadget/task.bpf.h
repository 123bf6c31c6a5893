/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What lists of processes tell of a task. Tasks are plain kernel addresses here: any program may
 * ask.
 */
#pragma once

#include <gadget/gadget.bpf.h>
#include <gadget/memory.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sched_entity {
	__u64 sum_exec_runtime;
};
struct task_struct___list {
	unsigned int __state; /* since 5.14 */
	int prio, static_prio;
	struct sched_entity se;
};
struct task_struct___5_13 {
	long state;
};
struct signal_struct___list {
	unsigned long long sum_sched_runtime; /* of its threads that are gone */
};

#pragma clang attribute pop

enum process_state {
	running,
	sleeping, /* a signal wakes it */
	waiting,  /* no signal does: for a disk, say */
	stopped,
	traced,
	zombie,
	dead,
	parked,
	idle,
	waking, /* just being woken, so that it cannot be told what it was in */
};

/* include/linux/sched.h */
enum {
	TASK_INTERRUPTIBLE = 0x1,
	TASK_UNINTERRUPTIBLE = 0x2,
	TASK_STOPPED = 0x4,
	TASK_TRACED = 0x8,
	EXIT_DEAD = 0x10,
	EXIT_ZOMBIE = 0x20,
	TASK_PARKED = 0x40,
	TASK_DEAD = 0x80,
	TASK_WAKING = 0x200,
	TASK_NOLOAD = 0x400,
};

/* TASK_… of a task that is not at its end. */
static __always_inline __u32 task_state_bits(const struct task_struct *task)
{
	const struct task_struct___list *now = (const void *)task;
	const struct task_struct___5_13 *old = (const void *)task;

	if (bpf_core_field_exists(now->__state))
		return BPF_CORE_READ(now, __state);
	return (__u32)BPF_CORE_READ(old, state);
}

static __always_inline enum process_state state_of_bits(__u32 bits)
{
	if (bits & TASK_INTERRUPTIBLE)
		return sleeping;
	if (bits & TASK_UNINTERRUPTIBLE)
		return bits & TASK_NOLOAD ? idle : waiting;
	if (bits & TASK_STOPPED)
		return stopped;
	if (bits & TASK_TRACED)
		return traced;
	if (bits & TASK_WAKING)
		return waking;
	return bits & TASK_PARKED ? parked : running;
}

static __always_inline enum process_state task_state(const struct task_struct *task)
{
	__u32 exit = BPF_CORE_READ(task, exit_state);

	if (exit)
		return exit & EXIT_ZOMBIE ? zombie : dead;
	return state_of_bits(task_state_bits(task));
}

static __always_inline bool task_is_leader(const struct task_struct *task)
{
	return BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
}

/* Its id in its own pid namespace. */
static __always_inline __u32 task_nspid(const struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, thread_pid);
	const void *numbers = (const void *)pid + bpf_core_field_offset(struct pid, numbers);
	int nr = 0;

	if (pid)
		bpf_probe_read_kernel(
			&nr, sizeof(nr),
			numbers + BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid) +
				bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* CPU time of this thread, and of the threads of its process that are gone, ns. */
static __always_inline __u64 task_cpu_time(const struct task_struct *task)
{
	return BPF_CORE_READ((const struct task_struct___list *)task, se.sum_exec_runtime);
}

static __always_inline __u64 task_gone_cpu_time(const struct task_struct *task)
{
	const struct signal_struct___list *signal = (const void *)BPF_CORE_READ(task, signal);

	return BPF_CORE_READ(signal, sum_sched_runtime);
}

/* As `top` shows them: -100 to 39, and -20 to 19. */
static __always_inline __s32 task_priority(const struct task_struct *task)
{
	return BPF_CORE_READ((const struct task_struct___list *)task, prio) - 100;
}

static __always_inline __s32 task_nice(const struct task_struct *task)
{
	return BPF_CORE_READ((const struct task_struct___list *)task, static_prio) - 120;
}
