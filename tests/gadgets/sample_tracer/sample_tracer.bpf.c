// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* For tests: a tracer with fields and parameters of every type. It tells of getppid(2). */
#include <gadget/gadget.bpf.h>

GADGET("Trace getppid\nA gadget for tests of everything that a tracer can have.", ALIAS("ppidsnoop")
       ALIAS("sampletrace"));

PARAM(bool, failed, false, "Nothing but a switch");
PARAM(__u8, small, 7, "A small number");
PARAM(__s16, low, -5, "A number that may be negative");
PARAM(__u64, huge, 18446744073709551615ull, "A big number");
PARAM(g_duration, min_latency, 10000000, "A duration");
PARAM(g_bytes, min_size, 4096, "A size");
PARAM(g_errno, error_wanted, 2, "An error");
PARAM_TEXT(prefix, 16, "A text");

enum color {
	COLOR_RED = 1,
	COLOR_GREEN = 2,
};

enum balance {
	BALANCE_DEBT = -1,
	BALANCE_EVEN = 0,
};

typedef g_pid my_pid;
typedef __u32 my_number;

struct inner {
	__s32 depth DOC("How deep");
	struct {
		__u16 low, high;
	} pair;
};

struct sample_record {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum color color DOC("An enum") COL(width = 7, fixed);
	enum balance balance;
	my_pid parent DOC("The parent's process id") COL(right, width=9);
	my_number number;
	bool yes;
	g_bool also;
	char name[12];
	__u8 digest[6];
	g_addr addr;
	struct g_endpoint src;
	struct inner inner DOC("A struct") COL(hidden);
	union {
		__u32 id;
		__u32 alias_of_id;
	};
	struct {
		__u8 first, second;
	};
	g_text text DOC("A text") COL(ellipsis=start, skip-empty);
	g_args args;
	__u64 counter;
};
TRACER(sample, sample_record, 1024);

SEC("tp/syscalls/sys_enter_getppid")
int sample_getppid(struct syscall_enter *ctx)
{
	struct sample_record *e;
	g_container c;

	if (!wanted(&c))
		return 0;
	e = record_begin(sample, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->color = failed ? COLOR_GREEN : COLOR_RED;
	e->balance = low < 0 ? BALANCE_DEBT : BALANCE_EVEN;
	e->parent = e->proc.parent.pid;
	e->number = small;
	e->yes = true;
	e->also = 1;
	e->inner.depth = error_wanted;
	e->id = 42;
	e->first = 1;
	e->second = 2;
	e->counter = huge + min_latency + min_size;
	text_kernel(sample, e, text, (void *)prefix, 16);
	record_submit(sample, e);
	return 0;
}
