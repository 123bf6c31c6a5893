// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* A table for the tests: how often each process opens files. */
#include <gadget/gadget.bpf.h>

GADGET("Count opens by process");

struct opener {
	g_container container;
	g_pid pid;
	g_comm comm;
	__u32 pad COL(hidden);
};
struct count {
	__u64 opens DOC("Calls of open and openat") COL(right);
};
TOP(opens, opener, count, 1024, SORT("-opens"));

static int count(void)
{
	struct opener key = {};
	struct count *n;

	if (!wanted(&key.container))
		return 0;
	key.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	n = top_entry(opens, &key);
	if (n)
		__sync_fetch_and_add(&n->opens, 1);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct syscall_enter *ctx)
{
	return count();
}

SEC("tp/syscalls/sys_enter_open")
int enter_open(struct syscall_enter *ctx)
{
	return count();
}
