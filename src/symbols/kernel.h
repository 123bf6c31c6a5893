/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the kernel -> names: its functions, those of its modules, BPF programs. A stack that
 * a gadget took (g_kstack) becomes texts, innermost function first:
 *
 *   do_sys_openat2+0x86           the function, how far behind its start
 *   ext4_file_open+0x12 [ext4]    one of a module
 *   0xffffffff81234567            not known
 *
 * The names are /proc/kallsyms's, read as a whole for the first stack (some 40 ms and 5 MB), and
 * again where an address lies behind all that is known, but not often. It gives no sizes: what was
 * loaded since then between two that are known has the name of the first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct kernel_symbols;

/* proc: a descriptor of /proc, which stays the caller's. */
struct kernel_symbols *kernel_symbols_new(int proc);
struct kernel_symbols *kernel_symbols_free(struct kernel_symbols *k); /* NULL is fine */

/*
 * Appends the frames of a stack (any bytes, taken for __u64 addresses) as strings with a NUL behind
 * each. Innermost ones of the BPF program that took it, and of its hook, are left out. Returns how many more of them there are than fit into out.
 */
size_t kernel_symbols_stack(struct kernel_symbols *k, const void *addresses, size_t len,
			    struct buf *out);

/*
 * Names were looked for and the kernel did not give them: kptr_restrict hides addresses, or there
 * is no kallsyms.
 */
bool kernel_symbols_hidden(const struct kernel_symbols *k);
