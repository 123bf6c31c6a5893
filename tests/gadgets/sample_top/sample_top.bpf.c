// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: a keyed table. It counts getppid(2) by process. */
#include <gadget/gadget.bpf.h>

GADGET("Count getppid by process", ALIAS("ppidtop")
       SELFTEST("no-such-program", "comm==no-such-program"));

struct calls_key {
	g_container container;
	g_pid pid DOC("Process");
	g_comm comm;
};

struct calls_value {
	__u64 calls DOC("Calls since the last table");
	g_time last;
	__u64 rate PER_SECOND(calls) DOC("Calls in a second");
};
TOP(calls, calls_key, calls_value, 1024, SORT("-calls"));

SEC("tp/syscalls/sys_enter_getppid")
int calls_getppid(struct syscall_enter *ctx)
{
	struct calls_key key = {};
	struct calls_value *v;

	if (!wanted(&key.container))
		return 0;
	key.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	v = top_entry(calls, &key);
	if (!v)
		return 0;
	__sync_fetch_and_add(&v->calls, 1);
	v->last = bpf_ktime_get_boot_ns();
	return 0;
}
