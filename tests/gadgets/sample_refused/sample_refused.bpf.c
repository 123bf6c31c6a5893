// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: well-formed, but no kernel's verifier takes it. */
#include <gadget/gadget.bpf.h>

GADGET("Look without looking out");

struct refused_record {
	g_time timestamp COL(hidden);
	g_container container;
};
TRACER(refused, refused_record, 0);

SEC("tp/syscalls/sys_enter_getppid")
int careless(struct syscall_enter *ctx)
{
	__u64 key = 1;
	g_container *c = bpf_map_lookup_elem(&g_wanted, &key);
	struct refused_record *e = record_begin(refused, *c); /* may be NULL */

	if (e)
		record_submit(refused, e);
	return 0;
}
