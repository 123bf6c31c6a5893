/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Terminals: struct tty_struct, in kernel memory.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* 0: there is none. */
static __always_inline g_tty tty_number(const struct tty_struct *tty)
{
	__u32 major, minor;

	if (!tty)
		return 0;
	major = BPF_CORE_READ(tty, driver, major);
	minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}
