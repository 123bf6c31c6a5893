// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Signals. The kernel tells of each where it puts it into its target's queue, or does not, whatever
 * sent it; a call that fails before that is seen only by its result.
 */
#include <gadget/gadget.bpf.h>

GADGET("Trace signals as they are sent\n"
       "Shows each signal, by whatever it was sent: another process, the kernel (a fault, a broken "
       "pipe, memory that ran out), a timer. A record belongs to the target's container or to the "
       "sender's; a signal between two wanted containers is a record of each, and the field `side` "
       "says which it is. `proc` is the process that was running when the signal was sent: the "
       "sender, or the one for which the kernel sent it. It is empty where there is none, as for "
       "timers. kill(pid, 0), which sends nothing, is not shown.",
       ALIAS("sigsnoop") ALIAS("killsnoop")
	       LIMITS("A signal that was sent may still be blocked or ignored by its target.")
		       SELFTEST("sh -c 'kill -USR1 $$'; true", "sig==SIGUSR1"));

PARAM(bool, failed, false, "Show only signals that could not be sent");
PARAM(bool, kill_only, false, "Show only what the call kill() sent");
PARAM(g_signal, signal, 0, "Show only this signal: its name or number");

/* The first ones as the kernel numbers them. */
enum signal_result { delivered, ignored, pending, overflow, lost_info, refused };

enum signal_side { target, sender, both };

struct signal_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_signal sig DOC("Signal") COL(width=10);
	g_comm tcomm DOC("Name of the process that it was sent to");
	g_pid tpid DOC("Process that it was sent to; 0: a call failed, see to");
	enum signal_result result DOC(
		"What became of it: delivered; ignored by the target; pending there already; "
		"overflow: no room in its queue; lost_info: delivered, but for what comes with "
		"it; refused: the call failed") COL(width=9);
	g_errno error DOC("Why it could not be sent") COL(width=8);
	g_signal_code code DOC("How it was sent, or why the kernel did") COL(width=12);
	enum signal_side side DOC("What the record's container was: the signal's target, its "
				  "sender, or both") COL(width=6);
	g_pid ttid DOC("Thread that it was sent to, or that was chosen first") COL(hidden);
	g_bool group DOC("Sent to a process, not to one of its threads") COL(hidden);
	g_bool blocked DOC("That thread had it blocked") COL(hidden);
	g_bool by_kernel DOC("The kernel sent it, not a call") COL(hidden);
	__s32 to DOC("Of a call that failed: whom it named, in the sender's pid namespace; "
		     "negative: a process group") COL(hidden, skip-empty);
	g_cgroup sender_cgroup DOC("Cgroup of the sender") COL(hidden);
	g_cgroup target_cgroup DOC("Cgroup of the target") COL(hidden);
	g_container_name sender_container DOC(
		"Name of the sender's container, of a pod's with namespace and pod; empty: the "
		"host, or not known") COL(hidden);
	g_container_name target_container DOC("The same of the target") COL(hidden);
};
TRACER(signal, signal_event, 2 * sizeof(g_cgroup));

enum {
	SIGILL = 4,
	SIGTRAP = 5,
	SIGBUS = 7,
	SIGFPE = 8,
	SIGSEGV = 11,
	SIGALRM = 14,
	SIGCHLD = 17,
	SIGURG = 23,
	SIGIO = 29,
	SIGSYS = 31,
};

enum { SI_KERNEL = 128, SI_USER = 0, SI_QUEUE = -1, SI_TIMER = -2, SI_SIGIO = -5, SI_TKILL = -6 };

/* ---- what is sent --------------------------------------------------------------------------- */

struct sent {
	__u32 sig;
	int code;
	bool by_kernel;
};

/* The kernel passes small numbers for senders without more to say: itself, or a process. */
static __always_inline void look_at(struct sent *s, __u32 sig, __u64 where)
{
	const struct kernel_siginfo *info = (const void *)where;

	s->sig = sig;
	if (where <= 1) {
		s->code = where ? SI_KERNEL : SI_USER;
		s->by_kernel = true;
		return;
	}
	s->code = BPF_CORE_READ(info, si_code);
	s->by_kernel = s->code > 0 || s->code == SI_TIMER || s->code == SI_SIGIO;
}

/* Do codes above 0 mean what they mean for this signal only? */
static __always_inline bool has_own_codes(__u32 sig)
{
	return sig == SIGILL || sig == SIGTRAP || sig == SIGBUS || sig == SIGFPE ||
	       sig == SIGSEGV || sig == SIGCHLD || sig == SIGSYS;
}

/* As g_signal_code has it; other signals than SIGIO can be asked for in its place. */
static __always_inline g_signal_code full_code(const struct sent *s)
{
	if (s->code <= 0 || s->code == SI_KERNEL)
		return s->code;
	return (has_own_codes(s->sig) ? s->sig : SIGIO) << 16 | s->code;
}

/*
 * Sent from an interrupt: by a timer, or because something can be read. Then `current` is whoever
 * was running.
 */
static __always_inline bool by_interrupt(const struct sent *s)
{
	if (!s->by_kernel)
		return false;
	if (s->code == SI_TIMER || s->code == SI_SIGIO || s->sig == SIGALRM || s->sig == SIGURG ||
	    s->sig == SIGIO)
		return true;
	return s->code > 0 && s->code != SI_KERNEL && !has_own_codes(s->sig);
}

static __always_inline bool asked_for(const struct sent *s, __u32 result)
{
	return (!signal || s->sig == signal) && (!failed || result == overflow) &&
	       (!kill_only || (s->code == SI_USER && !s->by_kernel));
}

/* From 1 on; the kernel's set is one word of 64 signals. */
static __always_inline bool has_blocked(const struct task_struct *task, __u32 sig)
{
	return BPF_CORE_READ(task, blocked.sig[0]) >> ((sig - 1) & 63) & 1;
}

static __always_inline void fill_target(struct signal_event *e, const struct task_struct *task)
{
	bpf_core_read_str(e->tcomm, sizeof(e->tcomm), &task->comm);
	e->tpid = BPF_CORE_READ(task, tgid);
	e->ttid = BPF_CORE_READ(task, pid);
	e->blocked = has_blocked(task, e->sig);
	e->target_cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	text_container(signal, e, target_container, e->target_cgroup);
}

static __always_inline void fill_sender(struct signal_event *e)
{
	process_fill(&e->proc);
	e->sender_cgroup = bpf_get_current_cgroup_id();
	text_container(signal, e, sender_container, e->sender_cgroup);
}

/* args: signal, struct kernel_siginfo or a small number, target, to a process?, result */
SEC("raw_tp/signal_generate")
int generated(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[2];
	__u32 result = ctx->args[4];
	g_container to = 0, from = 0;
	struct signal_event *e;
	bool has_sender, is_to, is_from;
	struct sent s;

	look_at(&s, ctx->args[0], ctx->args[1]);
	if (!asked_for(&s, result))
		return 0;
	has_sender = !by_interrupt(&s);
	is_to = wanted_task(task, &to);
	is_from = has_sender && wanted(&from);
	if (!is_to && !is_from)
		return 0;
	e = has_sender ? record_begin(signal, is_to ? to : from) : record_begin_softirq(signal, to);
	if (!e)
		return 0;
	e->sig = s.sig;
	e->code = full_code(&s);
	e->by_kernel = s.by_kernel;
	e->result = result;
	e->error = result == overflow ? EAGAIN : 0;
	e->group = (__u32)ctx->args[3] != 0;
	fill_target(e, task);
	if (has_sender)
		fill_sender(e);
	e->side = !is_to ? sender : is_from && to == from ? both : target;
	record_submit(signal, e);
	if (e->side == target && is_from) {
		e->container = from;
		e->side = sender;
		record_submit(signal, e);
	}
	return 0;
}

/* ---- what is not ---------------------------------------------------------------------------- */

struct signal_call {
	g_container container;
	struct sent sent;
	int to;
};
PENDING(calls, signal_call);

static __always_inline int enter(int to, __u32 sig, int code)
{
	struct sent s = {.sig = sig, .code = code};
	struct signal_call *call;
	g_container c;

	if (!sig || !asked_for(&s, overflow) || !wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->sent = s;
	call->to = to;
	return 0;
}

/* That there is no room in a queue was told where it happened. */
static __always_inline int leave(struct syscall_exit *ctx)
{
	struct signal_call *call = pending_end(calls);
	struct signal_event *e;

	if (!call || ctx->ret >= 0 || ctx->ret == -EAGAIN)
		return 0;
	e = record_begin(signal, call->container);
	if (!e)
		return 0;
	e->sig = call->sent.sig;
	e->code = call->sent.code;
	e->to = call->to;
	e->result = refused;
	e->error = -ctx->ret;
	e->side = sender;
	fill_sender(e);
	record_submit(signal, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_kill")
int enter_kill(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], ctx->args[1], SI_USER);
}

SEC("tp/syscalls/sys_exit_kill")
int exit_kill(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_tkill")
int enter_tkill(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], ctx->args[1], SI_TKILL);
}

SEC("tp/syscalls/sys_exit_tkill")
int exit_tkill(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_tgkill")
int enter_tgkill(struct syscall_enter *ctx)
{
	return enter(ctx->args[1], ctx->args[2], SI_TKILL);
}

SEC("tp/syscalls/sys_exit_tgkill")
int exit_tgkill(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_rt_sigqueueinfo")
int enter_sigqueueinfo(struct syscall_enter *ctx)
{
	return enter(ctx->args[0], ctx->args[1], SI_QUEUE);
}

SEC("tp/syscalls/sys_exit_rt_sigqueueinfo")
int exit_sigqueueinfo(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_rt_tgsigqueueinfo")
int enter_tgsigqueueinfo(struct syscall_enter *ctx)
{
	return enter(ctx->args[1], ctx->args[2], SI_QUEUE);
}

SEC("tp/syscalls/sys_exit_rt_tgsigqueueinfo")
int exit_tgsigqueueinfo(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* It names a descriptor, which says little. */
SEC("tp/syscalls/sys_enter_pidfd_send_signal")
int enter_pidfd_send_signal(struct syscall_enter *ctx)
{
	return enter(0, ctx->args[1], SI_USER);
}

SEC("tp/syscalls/sys_exit_pidfd_send_signal")
int exit_pidfd_send_signal(struct syscall_exit *ctx)
{
	return leave(ctx);
}
