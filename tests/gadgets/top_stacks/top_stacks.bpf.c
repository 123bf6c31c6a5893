// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* A table for the tests: opens by their stacks; and each open with its kernel stack. */
#include <gadget/gadget.bpf.h>
#include <gadget/stack.bpf.h>

GADGET("Count opens by stack");
PARAM(bool, ustack, false, "Take user stacks");
PARAM(bool, kstack, false, "Take kernel stacks");
USER_STACKS(ustack);
KERNEL_STACKS(kstack);

struct opener {
	g_container container;
	g_comm comm;
	g_ustack_id ustack COL(hidden, skip-empty);
	g_kstack_id kstack COL(hidden, skip-empty);
};
struct count {
	__u64 opens DOC("Calls of open and openat") COL(right);
};
TOP(opens, opener, count, 4096, SORT("-opens"));

struct one_open {
	g_time timestamp;
	g_container container;
	g_comm comm;
	g_kstack kstack;
};
TRACER(each, one_open, G_KSTACK_BYTES);

static int count(void *ctx)
{
	struct opener key = {};
	struct one_open *e;
	struct count *n;

	if (!wanted(&key.container))
		return 0;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	key.ustack = user_stack(ctx);
	key.kstack = kernel_stack(ctx);
	n = top_entry(opens, &key);
	if (n)
		__sync_fetch_and_add(&n->opens, 1);
	e = kstack ? record_begin(each, key.container) : NULL;
	if (e) {
		__builtin_memcpy(e->comm, key.comm, sizeof(e->comm));
		text_kstack(each, e, kstack, ctx);
		record_submit(each, e);
	}
	return 0;
}

/* args: struct pt_regs, number. In 5.10 a tp/syscalls/… hook would have no kernel stack. */
SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef __TARGET_ARCH_x86
	return ctx->args[1] == 2 || ctx->args[1] == 257 ? count(ctx) : 0;
#else
	return ctx->args[1] == 56 ? count(ctx) : 0;
#endif
}
