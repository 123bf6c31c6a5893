/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Programs of SEC("perf_event"), which EVERY_CPU_AT() has run many times a second on every CPU: what
 * the CPU was doing when they came.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* Of the kernel's interface to user space, and so not looked up in the kernel's own types. */
struct bpf_perf_event_data {
#if defined(__TARGET_ARCH_x86)
	__u64 regs_before[17], cs, regs_behind[3];
#else
	__u64 regs_before[33], pstate;
#endif
	__u64 sample_period;
	__u64 addr;
};

/*
 * The program's own code was running, not the kernel for it. (The kernel lets no part of a register
 * be read, which is what the compiler would do.)
 */
static __always_inline bool sample_is_user(const struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return *(const volatile __u64 *)&ctx->cs & 3; /* the privilege level */
#else
	return !(*(const volatile __u64 *)&ctx->pstate & 0xf); /* EL0 */
#endif
}

/* The task that runs when there is nothing to do; each CPU has one. */
static __always_inline bool sample_is_idle(void)
{
	return !(__u32)bpf_get_current_pid_tgid();
}

static __always_inline bool sample_has_user_stack(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, mm) != 0; /* else a thread of the kernel's */
}
