/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The system call that a task is in, whatever hook asks: by the registers that it entered the
 * kernel with, which lie at the end of its kernel stack.
 */
#pragma once

#include <gadget/wanted.bpf.h>

/* include/uapi/linux/audit.h of the kernel */
#if defined(__TARGET_ARCH_x86)
enum { G_ARCH = 0xc000003e, G_ARCH_COMPAT = 0x40000003 };
#elif defined(__TARGET_ARCH_arm64)
enum { G_ARCH = 0xc00000b7, G_ARCH_COMPAT = 0x40000028 };
#endif

enum {
	G_KERNEL_STACK_BYTES = 16384, /* of kernels before 5.15, which have no helper for it */
	G_TS_COMPAT = 2,
	G_TIF_32BIT = 1 << 22,
	G_PF_IO_WORKER = 0x10,
	G_PF_KTHREAD = 0x200000,
};

static __always_inline bool g_is_compat(const struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread_info.status) & G_TS_COMPAT;
#else
	return BPF_CORE_READ(task, thread_info.flags) & G_TIF_32BIT;
#endif
}

/* Call `nr` of the current task. */
static __always_inline g_syscall syscall_current(__u32 nr)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	return (__u64)(__u32)(g_is_compat(task) ? G_ARCH_COMPAT : G_ARCH) << 32 | nr;
}

/* By its registers, whatever their numbers mean: syscall_current() tells that. */
static __always_inline __s32 syscall_number(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, orig_ax);
#else
	return BPF_CORE_READ(regs, syscallno);
#endif
}

/* The current task's registers at its entry into the kernel; to be read, not followed. */
static __always_inline const struct pt_regs *registers_at_entry(void)
{
	const struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	task = (const struct task_struct *)bpf_get_current_task();
	return BPF_CORE_READ(task, stack) + G_KERNEL_STACK_BYTES -
	       bpf_core_type_size(struct pt_regs);
}

/* G_NO_SYSCALL: in none, but in an exception or a thread of the kernel's. */
static __always_inline g_syscall syscall_of_current(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct pt_regs *regs = registers_at_entry();
	__s32 nr;

	if (BPF_CORE_READ(task, flags) & (G_PF_IO_WORKER | G_PF_KTHREAD))
		return G_NO_SYSCALL;
	nr = syscall_number(regs);
	return nr < 0 ? G_NO_SYSCALL : syscall_current(nr);
}
