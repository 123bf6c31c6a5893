// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* A table for the tests: opens by user stack, of which no more than two are kept, and these for ever. */
#define G_USER_STACKS 2
#include <gadget/gadget.bpf.h>
#include <gadget/stack.bpf.h>

GADGET("Count opens by one of two stacks");
PARAM(bool, ustack, true, "Take user stacks");
USER_STACKS(ustack, KEPT);

struct opener {
	g_container container;
	g_comm comm;
	g_ustack_id ustack;
};
struct count {
	__u64 opens;
};
TOP(opens, opener, count, 4096);

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct syscall_enter *ctx)
{
	struct opener key = {};
	struct count *n;

	if (!wanted(&key.container))
		return 0;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (key.comm[0] != 'o') /* open_deep's */
		return 0;
	key.ustack = user_stack(ctx);
	n = top_entry(opens, &key);
	if (n)
		__sync_fetch_and_add(&n->opens, 1);
	return 0;
}
