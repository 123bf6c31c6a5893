// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * The call ptrace(): who looks into whom. The target is found when the call begins, as it may be
 * gone or let go at the end.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/task_of_pid.bpf.h>

GADGET("Trace what processes do to others by ptrace\n"
       "Shows each call of ptrace with its request, its target and whether it worked. A record "
       "belongs to the caller's container or to the target's; between two wanted containers it is "
       "a record of each, and the field `side` says which it is. `proc` is the caller. A debugger "
       "makes a call for each step and word; --attach-only leaves those out.",
       LIMITS("What reads or writes another process without ptrace (process_vm_readv, "
	      "process_vm_writev, /proc/PID/mem) is not shown.")
	       SELFTEST("perl -e 'syscall(`uname -m` =~ /x86/ ? 101 : 117, 7, 1, 0, 0)'",
			"request==PTRACE_CONT,error==ESRCH"));

PARAM(bool, failed, false, "Show only calls that failed");
PARAM(bool, attach_only, false,
      "Show only what begins or ends it: attach, seize, traceme, detach, kill");

enum ptrace_side { target, tracer, both };

/* uapi/linux/ptrace.h, and those of x86 and arm64. */
enum ptrace_request {
	PTRACE_TRACEME,
	PTRACE_PEEKTEXT,
	PTRACE_PEEKDATA,
	PTRACE_PEEKUSR,
	PTRACE_POKETEXT,
	PTRACE_POKEDATA,
	PTRACE_POKEUSR,
	PTRACE_CONT,
	PTRACE_KILL,
	PTRACE_SINGLESTEP,
	PTRACE_GETREGS = 12,
	PTRACE_SETREGS,
	PTRACE_GETFPREGS,
	PTRACE_SETFPREGS,
	PTRACE_ATTACH,
	PTRACE_DETACH,
	PTRACE_GETFPXREGS,
	PTRACE_SETFPXREGS,
	PTRACE_OLDSETOPTIONS = 21,
	PTRACE_SYSCALL = 24,
	PTRACE_GET_THREAD_AREA,
	PTRACE_SET_THREAD_AREA,
	PTRACE_ARCH_PRCTL = 30,
	PTRACE_SYSEMU,
	PTRACE_SYSEMU_SINGLESTEP,
#if defined(__TARGET_ARCH_arm64)
	PTRACE_PEEKMTETAGS,
	PTRACE_POKEMTETAGS,
#else
	PTRACE_SINGLEBLOCK,
#endif
	PTRACE_SETOPTIONS = 0x4200,
	PTRACE_GETEVENTMSG,
	PTRACE_GETSIGINFO,
	PTRACE_SETSIGINFO,
	PTRACE_GETREGSET,
	PTRACE_SETREGSET,
	PTRACE_SEIZE,
	PTRACE_INTERRUPT,
	PTRACE_LISTEN,
	PTRACE_PEEKSIGINFO,
	PTRACE_GETSIGMASK,
	PTRACE_SETSIGMASK,
	PTRACE_SECCOMP_GET_FILTER,
	PTRACE_SECCOMP_GET_METADATA,
	PTRACE_GET_SYSCALL_INFO,
	PTRACE_GET_RSEQ_CONFIGURATION,
	PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG,
	PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG,
	PTRACE_SET_SYSCALL_INFO,
};

struct ptrace_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum ptrace_request request DOC("What is asked for") COL(width=24);
	g_comm tcomm DOC("Name of the target");
	g_pid tpid DOC("Process id of the target; 0: there is none, see to");
	g_errno error DOC("Why it failed") COL(width=8);
	g_hex addr DOC("Argument addr") COL(width=18);
	g_hex data DOC("Argument data") COL(width=18);
	enum ptrace_side side DOC("What the record's container was: the target's, the caller's, or "
				  "both") COL(width=6);
	g_pid ttid DOC("Thread id of the target") COL(hidden);
	__s32 to DOC("The target as the caller named it, in its pid namespace") COL(hidden);
	g_cgroup tracer_cgroup DOC("Cgroup of the caller") COL(hidden);
	g_cgroup target_cgroup DOC("Cgroup of the target") COL(hidden);
	g_container_name tracer_container DOC(
		"Name of the caller's container, of a pod's with namespace and pod; empty: the "
		"host, or not known") COL(hidden);
	g_container_name target_container DOC("The same of the target") COL(hidden);
};
TRACER(ptrace, ptrace_event, 2 * sizeof(g_cgroup));

struct ptrace_call {
	g_container from, to; /* where they are wanted */
	bool is_from, is_to;
	g_comm tcomm;
	__u32 tpid, ttid;
	g_cgroup target_cgroup;
	__u32 request;
	__s32 pid;
	__u64 addr, data;
};
PENDING(calls, ptrace_call);

static __always_inline bool asked_for(__u32 request)
{
	return !attach_only || request == PTRACE_TRACEME || request == PTRACE_ATTACH ||
	       request == PTRACE_SEIZE || request == PTRACE_DETACH || request == PTRACE_KILL;
}

SEC("tp/syscalls/sys_enter_ptrace")
int enter_ptrace(struct syscall_enter *ctx)
{
	g_container from = 0, to = 0;
	struct ptrace_call *call;
	struct task_struct *task;
	bool is_from, is_to;

	if (!asked_for(ctx->args[0]))
		return 0;
	/* Who asks to be traced names nobody. */
	task = ctx->args[0] == PTRACE_TRACEME ? (struct task_struct *)bpf_get_current_task()
					      : task_of_pid(ctx->args[1]);
	is_from = wanted(&from);
	is_to = task && wanted_task(task, &to);
	if (!is_from && !is_to)
		return 0;
	call = pending_begin(calls, is_to ? to : from);
	if (!call)
		return 0;
	call->from = from;
	call->to = to;
	call->is_from = is_from;
	call->is_to = is_to;
	call->request = ctx->args[0];
	call->pid = ctx->args[1];
	call->addr = ctx->args[2];
	call->data = ctx->args[3];
	__builtin_memset(call->tcomm, 0, sizeof(call->tcomm));
	bpf_core_read_str(call->tcomm, sizeof(call->tcomm), &task->comm);
	call->tpid = BPF_CORE_READ(task, tgid);
	call->ttid = BPF_CORE_READ(task, pid);
	call->target_cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	return 0;
}

SEC("tp/syscalls/sys_exit_ptrace")
int exit_ptrace(struct syscall_exit *ctx)
{
	struct ptrace_call *call = pending_end(calls);
	struct ptrace_event *e;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(ptrace, call->is_to ? call->to : call->from);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->request = call->request;
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	__builtin_memcpy(e->tcomm, call->tcomm, sizeof(e->tcomm));
	e->tpid = call->tpid;
	e->ttid = call->ttid;
	e->to = call->pid;
	e->addr = call->addr;
	e->data = call->data;
	e->tracer_cgroup = bpf_get_current_cgroup_id();
	e->target_cgroup = call->target_cgroup;
	text_container(ptrace, e, tracer_container, e->tracer_cgroup);
	if (e->tpid)
		text_container(ptrace, e, target_container, e->target_cgroup);
	e->side = !call->is_to ? tracer : call->is_from && call->to == call->from ? both : target;
	record_submit(ptrace, e);
	if (e->side == target && call->is_from) {
		e->container = call->from;
		e->side = tracer;
		record_submit(ptrace, e);
	}
	return 0;
}
