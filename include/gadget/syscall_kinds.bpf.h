/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/* System calls that end otherwise than others do, by their numbers. */
#pragma once

#include <gadget/syscall.bpf.h>

/* From the kernel's tables: x86-64 and i386; arm64 and arm. */
#if defined(__TARGET_ARCH_x86)
enum { G_NR_EXIT = 60, G_NR_EXIT_GROUP = 231, G_NR_SIGRETURN = 15 };
enum { G_NR_CLONE = 56, G_NR_FORK = 57, G_NR_VFORK = 58 };
enum { G_COMPAT_EXIT_GROUP = 252 };
#elif defined(__TARGET_ARCH_arm64)
enum { G_NR_EXIT = 93, G_NR_EXIT_GROUP = 94, G_NR_SIGRETURN = 139 };
enum { G_NR_CLONE = 220, G_NR_FORK = -1, G_NR_VFORK = -1 };
enum { G_COMPAT_EXIT_GROUP = 248 };
#endif
enum { G_NR_CLONE3 = 435 }; /* everywhere */
enum { G_COMPAT_EXIT = 1, G_COMPAT_FORK = 2, G_COMPAT_SIGRETURN = 119, G_COMPAT_CLONE = 120 };
enum { G_COMPAT_RT_SIGRETURN = 173, G_COMPAT_VFORK = 190 };

static __always_inline bool g_syscall_is_compat(g_syscall call)
{
	return call >> 32 == (__u32)G_ARCH_COMPAT;
}

/* It never returns. */
static __always_inline bool syscall_is_exit(g_syscall call)
{
	__s32 nr = call;

	if (g_syscall_is_compat(call))
		return nr == G_COMPAT_EXIT || nr == G_COMPAT_EXIT_GROUP;
	return nr == G_NR_EXIT || nr == G_NR_EXIT_GROUP;
}

/* It returns twice: in the new task as well, with 0. */
static __always_inline bool syscall_is_fork(g_syscall call)
{
	__s32 nr = call;

	if (nr == G_NR_CLONE3)
		return true;
	if (g_syscall_is_compat(call))
		return nr == G_COMPAT_FORK || nr == G_COMPAT_CLONE || nr == G_COMPAT_VFORK;
	return nr == G_NR_CLONE || nr == G_NR_FORK || nr == G_NR_VFORK;
}

/* What it returns is what the registers had when a signal came. */
static __always_inline bool syscall_is_sigreturn(g_syscall call)
{
	__s32 nr = call;

	if (g_syscall_is_compat(call))
		return nr == G_COMPAT_SIGRETURN || nr == G_COMPAT_RT_SIGRETURN;
	return nr == G_NR_SIGRETURN;
}
