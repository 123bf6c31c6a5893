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
