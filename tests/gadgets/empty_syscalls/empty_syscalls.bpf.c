// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For the bench: programs on traceloop's hooks that do nothing. What they cost is the hooks' own price. */
#include <gadget/gadget.bpf.h>

GADGET("Do nothing at every system call");

struct nothing {
	g_time timestamp;
	g_container container;
};
TRACER(nothing, nothing, 0);

SEC("raw_tp/sys_enter")
int enter_call(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

SEC("raw_tp/sys_exit")
int exit_call(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}
