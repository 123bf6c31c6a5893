/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The kernel's questions whether a process may do what needs a capability. CAPABILITY_HOOKS(f)
 * defines the programs; each calls
 *
 *   void f(void *ctx, g_container c, const struct capability_check *check)
 *
 * for each question about a process of a wanted container, when the verdict is known.
 */
#pragma once

#include <gadget/pending.bpf.h>
#include <gadget/syscall.bpf.h>

/* What not every kernel tells. */
enum told { unknown, no, yes };

struct capability_check {
	const struct cred *cred;
	const struct user_namespace *target;
	__u32 cap;
	bool capable;
	enum told audit, insetid;
};

/* Two words of 32 bits before 6.3, one of 64 since then: the same bytes. */
#define capability_set(cred_, set)                                                      \
	({                                                                              \
		g_capability_set caps_ = 0;                                             \
                                                                                        \
		bpf_probe_read_kernel(&caps_, sizeof(caps_),                            \
				      (const void *)(cred_) +                           \
					      bpf_core_field_offset(struct cred, set)); \
		caps_;                                                                  \
	})

/* CLONE_NEW… of the kernel */
enum { G_NEW_NAMESPACES = 0x7e020080 };

/* By the numbers of each machine. */
#if defined(__TARGET_ARCH_x86)
enum {
	G_NR_BRK = 12,
	G_NR_MMAP = 9,
	G_NR_MPROTECT = 10,
	G_NR_MREMAP = 25,
	G_NR_EXECVE = 59,
	G_NR_EXECVEAT = 322,
	G_NR_CLONE = 56
};
enum { G_NR_FORK = 57, G_NR_VFORK = 58 };
#define G_FIRST_ARGUMENT(regs) BPF_CORE_READ(regs, di)
#else
enum {
	G_NR_BRK = 214,
	G_NR_MMAP = 222,
	G_NR_MPROTECT = 226,
	G_NR_MREMAP = 216,
	G_NR_EXECVE = 221,
	G_NR_EXECVEAT = 281
};
enum { G_NR_CLONE = 220, G_NR_FORK = -1, G_NR_VFORK = -2 };
#define G_FIRST_ARGUMENT(regs) BPF_CORE_READ(regs, orig_x0)
#endif

enum { G_CAP_SYS_ADMIN = 21 };

/*
 * Does the kernel only ask whether the last of the machine's memory may be used? It does so in each
 * call that makes an address space larger, and takes no for an answer.
 */
static __always_inline bool capability_is_for_reserve(const struct capability_check *check,
						      g_syscall call)
{
	const struct pt_regs *regs;

	if (check->cap != G_CAP_SYS_ADMIN || check->audit == yes || call >> 32 != (__u32)G_ARCH)
		return false;
	switch ((__s32)call) {
	case G_NR_BRK:
	case G_NR_MMAP:
	case G_NR_MPROTECT:
	case G_NR_MREMAP:
	case G_NR_EXECVE:
	case G_NR_EXECVEAT:
	case G_NR_FORK:
	case G_NR_VFORK:
		return true;
	case G_NR_CLONE:
		regs = registers_at_entry();
		return !(G_FIRST_ARGUMENT(regs) & G_NEW_NAMESPACES);
	}
	return false;
}

enum { G_CAP_NOAUDIT = 2, G_CAP_INSETID = 4 }; /* CAP_OPT_… of the kernel, since 5.1 */

struct g_capability_call {
	struct capability_check check;
};
PENDING(g_capability_calls, g_capability_call);

static __always_inline void g_capability_asked(const struct cred *cred,
					       const struct user_namespace *target, __u32 cap,
					       __u32 options)
{
	struct g_capability_call *call;
	g_container c;

	if (!wanted(&c))
		return;
	call = pending_begin(g_capability_calls, c);
	if (!call)
		return;
	call->check = (struct capability_check){
		.cred = cred,
		.target = target,
		.cap = cap,
		.audit = options & G_CAP_NOAUDIT ? no : yes,
		.insetid = options & G_CAP_INSETID ? yes : no,
	};
}

/* args of the tracepoint: cred, target's user namespace, the one that it was found in, cap, result
 */
#define CAPABILITY_HOOKS(f)                                                                    \
	SEC("raw_tp/cap_capable")                                                              \
	RUNG(capability, 1)                                                                    \
	CANNOT_TELL("whether a check was one that is audited (audit), or for a change of ids " \
		    "(insetid)")                                                               \
	int g_capability_answered(struct bpf_raw_tracepoint_args *ctx)                         \
	{                                                                                      \
		struct capability_check check = {                                              \
			.cred = (const struct cred *)ctx->args[0],                             \
			.target = (const struct user_namespace *)ctx->args[1],                 \
			.cap = ctx->args[3],                                                   \
			.capable = (__s32)ctx->args[4] == 0,                                   \
		};                                                                             \
		g_container c;                                                                 \
                                                                                               \
		if (wanted(&c))                                                                \
			f(ctx, c, &check);                                                     \
		return 0;                                                                      \
	}                                                                                      \
                                                                                               \
	SEC("kprobe/cap_capable")                                                              \
	RUNG(capability, 2)                                                                    \
	int BPF_KPROBE(g_capability_ask, const struct cred *cred,                              \
		       const struct user_namespace *target, int cap, unsigned int options)     \
	{                                                                                      \
		g_capability_asked(cred, target, cap, options);                                \
		return 0;                                                                      \
	}                                                                                      \
                                                                                               \
	SEC("kretprobe/cap_capable")                                                           \
	RUNG(capability, 2)                                                                    \
	CANNOT_TELL("before Linux 5.16 the kernel stack, beyond the probe itself")             \
	int BPF_KRETPROBE(g_capability_answer, int result)                                     \
	{                                                                                      \
		struct g_capability_call *call = pending_end(g_capability_calls);              \
		struct capability_check check;                                                 \
		g_container c;                                                                 \
                                                                                               \
		if (!call || !wanted(&c))                                                      \
			return 0;                                                              \
		check = call->check;                                                           \
		check.capable = result == 0;                                                   \
		f(ctx, c, &check);                                                             \
		return 0;                                                                      \
	}                                                                                      \
	struct g_capability_call
