/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * For programs in user space's functions: SEC("uprobe/libc:malloc"), SEC("uretprobe/libc:malloc").
 * The host attaches them to each wanted container's own copies of the library (src/gadget/probe.h).
 * Such a program sees whoever has that file, so it asks wanted() as all do. The kernel takes some
 * microseconds for each entry, and as much again for each return.
 *
 * The kernel may let another task run on the CPU meanwhile: record_begin_preemptible().
 *
 *   PARAM_BINARY;                               --binary: also in these programs of the container
 *   CALLS(calls, call);                         struct call: what an entry leaves for the return
 *
 *   call = call_enter(calls, ctx, c);           NULL: within another one; leave
 *   call = call_leave(calls, ctx);              NULL: not of the outermost; leave
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* Read by the host (src/traces/probe_scan.c). */
#define PARAM_BINARY                                                                           \
	PARAM_TEXT(binary, 1024,                                                               \
		   "Also in these programs or libraries of the container (paths, with commas " \
		   "between): what is linked statically, or lies elsewhere")

/*
 * A library calls its own functions: realloc() is malloc() where there was nothing before. Only the
 * call from outside is told of. It is known by the stack, which is the deeper the further within;
 * one that never returned (longjmp(), a thread's end) is forgotten with the next call above it.
 */
#define CALLS(NAME, TYPE)            \
	struct NAME##_call {         \
		__u64 stack;         \
		struct TYPE content; \
	};                           \
	PENDING(NAME, NAME##_call)

enum { G_DEEPEST_CALL = 256 * 1024 }; /* bytes of stack; beyond, it is another stack */

static __always_inline bool g_is_within(__u64 stack, __u64 outer)
{
	return stack < outer && outer - stack < G_DEEPEST_CALL;
}

#define call_enter(NAME, ctx, c)                                  \
	({                                                        \
		__u64 stack_ = PT_REGS_SP(ctx);                   \
		struct NAME##_call *now_ = pending_peek(NAME);    \
		__typeof__(&now_->content) call_ = 0;             \
                                                                  \
		if (!now_ || !g_is_within(stack_, now_->stack)) { \
			now_ = pending_begin(NAME, c);            \
			if (now_) {                               \
				now_->stack = stack_;             \
				call_ = &now_->content;           \
			}                                         \
		}                                                 \
		call_;                                            \
	})

/* Where the stack stands when the function that was entered at `stack` has returned. */
static __always_inline __u64 g_stack_after(__u64 stack)
{
#if defined(__TARGET_ARCH_x86)
	return stack + 8; /* the return address was on it */
#else
	return stack;
#endif
}

#define call_leave(NAME, ctx)                                                       \
	({                                                                          \
		struct NAME##_call *now_ = pending_peek(NAME);                      \
		__typeof__(&now_->content) call_ = 0;                               \
                                                                                    \
		if (now_ && g_stack_after(now_->stack) == (__u64)PT_REGS_SP(ctx)) { \
			pending_end(NAME);                                          \
			call_ = &now_->content;                                     \
		}                                                                   \
		call_;                                                              \
	})
