// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For the bench: programs on trace_open's hooks that do nothing. What they cost is the hooks' own price. */
#include <gadget/gadget.bpf.h>

GADGET("Do nothing where files are opened");

struct nothing {
	g_time timestamp;
	g_container container;
};
TRACER(nothing, nothing, 0);

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct syscall_enter *ctx)
{
	return 0;
}

SEC("tp/syscalls/sys_exit_openat")
int exit_openat(struct syscall_exit *ctx)
{
	return 0;
}
