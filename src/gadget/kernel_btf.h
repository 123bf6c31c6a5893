/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's types as far as an object needs them. The whole BTF of a kernel is 5 MB, and libbpf
 * takes 40 ms and 12 MB to look through it for each object; the few types that an object's CO-RE
 * relocations name are some 20 to 100 KB, and are picked out in 3 ms. To be given to libbpf as
 * btf_custom_path:
 *
 *   struct kernel_btf types;
 *   kernel_btf_open(elf, size, &types, err);
 *   LIBBPF_OPTS(bpf_object_open_opts, o, .btf_custom_path = kernel_btf_path(&types));
 *   … bpf_object__open_mem(), bpf_object__load() …
 *   kernel_btf_close(&types);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

struct kernel_btf {
	int fd;	       /* -1: libbpf must (and will) read the kernel's whole BTF, or needs none */
	char path[32]; /* /proc/self/fd/N */
};

/*
 * -ENOTSUP: the kernel has no BTF; -EINVAL: the object's own BTF cannot be read. *ret is always
 * something to be closed, also after an error.
 */
int kernel_btf_open(const void *elf, size_t size, struct kernel_btf *ret, struct err *err);
void kernel_btf_close(struct kernel_btf *b);

static inline const char *kernel_btf_path(const struct kernel_btf *b)
{
	return b->fd >= 0 ? b->path : NULL;
}

/*
 * Does the kernel's BTF hold this name? (Of a type, function or field: this is for names that say
 * what they are, such as btf_trace_sched_switch.) False also where there is no BTF.
 */
bool kernel_btf_has_name(const char *name);

/* ---- the parts, for tests ---------------------------------------------------------------- */

/*
 * Names of kernel types that the CO-RE relocations of an ELF object look at, sorted, without
 * flavours (`task_struct___old` is `task_struct`), each followed by a newline. *ret_whole says that
 * the object wants ids of kernel types, which only the whole BTF can tell. -EINVAL: malformed.
 */
int kernel_btf_names(const void *elf, size_t size, struct buf *ret, bool *ret_whole,
		     struct err *err);

/*
 * From raw BTF (bytes of /sys/kernel/btf/vmlinux), the types with these names (as above) and all
 * that they contain by value, as raw BTF again. A pointer keeps what it points to only where that
 * is in the set for another reason; else it is a `void *`. -EINVAL: malformed.
 */
int btf_reduce(const void *raw, size_t size, const char *names, struct buf *ret);
