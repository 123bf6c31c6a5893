/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * System calls as SEC("raw_tp/sys_enter") (args: struct pt_regs, number) and SEC("raw_tp/sys_exit")
 * (args: struct pt_regs, result) see them. They run at every call: to be used where the kernel has
 * no tracepoint for the one that is wanted. PT_REGS_PARM1_CORE_SYSCALL(regs) … are its arguments.
 */
#pragma once

#include <gadget/gadget.bpf.h>
#include <gadget/syscall.bpf.h>

/* The call's number; -1: of a 32-bit program, whose numbers mean other calls. */
static __always_inline long raw_syscall_number(const struct pt_regs *regs)
{
	if (g_is_compat((const struct task_struct *)bpf_get_current_task()))
		return -1;
	return syscall_number(regs);
}
