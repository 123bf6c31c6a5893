// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* System calls that a seccomp filter did not let through. */
#include <gadget/gadget.bpf.h>
#include <gadget/seccomp.bpf.h>
#include <gadget/syscall.bpf.h>

GADGET("Trace system calls that seccomp does not let through\n"
       "Shows each call that a filter of the process refused with an error, answered with a "
       "signal, or killed the process or thread for: which call, and what was done. Where the "
       "kernel has kprobes it shows as well what a filter asks to be logged. --ustack adds the "
       "functions that made the call.",
       ALIAS("seccomp_audit") LIMITS(
	       "An error that a tracer or a supervisor (USER_NOTIF) answers with looks like one of "
	       "the filter's, and a call that a filter skips without an error (ERRNO of 0) is not "
	       "seen. Of a process that was waiting in a call when the gadget started, refusals "
	       "are "
	       "seen from the end of that call on. KILL_PROCESS stands for KILL_THREAD as well "
	       "where "
	       "the process had one thread.")
       SELFTEST("perl -e '($c, $n) = `uname -m` =~ /x86/ ? (157, 121) : (167, 155); $f "
		"= pack(q(SCCL) x 4, 32, 0, 0, 0, 21, 0, 1, $n, 6, 0, 0, 0x50001, 6, 0,"
		" 0, 0x7fff0000); $p = pack(q(Sx6P), 4, $f); syscall($c, 38, 1, 0, 0, "
		"0); syscall($c, 22, 2, $p); syscall($n, 0)'", "syscall==getpgid"));

PARAM(bool, ustack, false, "Take the user stack of each call (field ustack)");

struct block_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum seccomp_code code DOC("What the filter said: KILL_PROCESS, KILL_THREAD, TRAP (a "
				   "signal), ERRNO; with kprobes also LOG, USER_NOTIF, TRACE")
		COL(width=12);
	g_syscall syscall DOC("System call") COL(width=20);
	g_errno error DOC("Error that the call ended with") COL(width=10);
	g_ustack ustack DOC("User stack, innermost function first, with --ustack")
		COL(hidden, skip-empty);
};
TRACER(blocks, block_event, sizeof(struct g_user_stack));

static __always_inline void blocked(void *ctx, g_container c, const struct seccomp_block *block)
{
	struct block_event *e = record_begin(blocks, c);

	if (!e)
		return;
	process_fill(&e->proc);
	e->code = block->code;
	e->error = block->error;
	e->syscall = syscall_of_current();
	if (ustack) {
		text_ustack(blocks, e, ustack, ctx);
		record_submit_now(blocks, e);
	} else {
		record_submit(blocks, e);
	}
}

SECCOMP_HOOKS(blocked);
