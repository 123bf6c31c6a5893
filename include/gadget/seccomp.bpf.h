/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * System calls that a seccomp filter did not let through. SECCOMP_HOOKS(f) defines the programs;
 * each calls
 *
 *   void f(void *ctx, g_container c, const struct seccomp_block *block)
 *
 * for each such call of a wanted container's task.
 *
 * A filter is asked before the tracepoint sys_enter. A call that it refuses with an error is
 * therefore one that ends (sys_exit) and had not begun; one that it answers with a signal shows
 * where that is made; a kill without a signal shows at the task's end.
 */
#pragma once

#include <gadget/pending.bpf.h>

/* SECCOMP_RET_… of the kernel */
enum seccomp_code { KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG };

struct seccomp_block {
	enum seccomp_code code;
	__s32 error; /* ERRNO: which */
};

enum {
	G_SECCOMP_FILTER = 2, /* mode of a task that has a filter; 3: one that it kills */
	G_SIGKILL = 9,
	G_SIGSYS = 31,
	G_SYS_SECCOMP = 1,	     /* code of its signal */
	G_SA_IMMUTABLE = 0x00800000, /* since 5.17, of a signal that must kill */
	G_SIGNAL_GROUP_EXIT = 4,     /* signal->flags: the whole process ends */
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sigaction {
	unsigned long sa_flags;
};
struct k_sigaction {
	struct sigaction sa;
};
struct sighand_struct {
	struct k_sigaction action[64];
};
struct task_struct___sighand {
	struct sighand_struct *sighand;
};
#pragma clang attribute pop

struct g_seccomp_task {
	bool in_call;
	bool told;	/* what is refused now has been told */
	bool signalled; /* a signal ends it, not the filter itself */
};
PENDING(g_seccomp_tasks, g_seccomp_task);

/* The current task, where it is wanted and has a filter. */
static __always_inline bool g_seccomp_wanted(g_container *c)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	return wanted(c) && BPF_CORE_READ(task, seccomp.mode) >= G_SECCOMP_FILTER;
}

/* What is known of it; a new one is between two calls. NULL: memory is out, which is counted. */
static __always_inline struct g_seccomp_task *g_seccomp_task(g_container c)
{
	struct g_seccomp_task *t = pending_peek(g_seccomp_tasks);

	if (t)
		return t;
	t = pending_begin(g_seccomp_tasks, c);
	if (t)
		*t = (struct g_seccomp_task){};
	return t;
}

static __always_inline void g_seccomp_enters(void)
{
	struct g_seccomp_task *t;
	g_container c;

	if (!g_seccomp_wanted(&c))
		return;
	t = g_seccomp_task(c);
	if (t)
		*t = (struct g_seccomp_task){.in_call = true};
}

/*
 * A call of the current task ends: was it refused? The first end that is seen of a task may be of a
 * call that had begun before we looked, or of the one that made the task.
 */
static __always_inline bool g_seccomp_refused(g_container c, __s64 result)
{
	struct g_seccomp_task *t = pending_peek(g_seccomp_tasks);
	bool refused;

	if (!t) {
		g_seccomp_task(c);
		return false;
	}
	refused = !t->in_call && !t->told && result < 0 && result >= -4095;
	*t = (struct g_seccomp_task){};
	return refused;
}

/* KILL_PROCESS, as well as KILL_THREAD of a process's only one, makes a signal that must kill. */
static __always_inline enum seccomp_code g_seccomp_signal_code(const struct task_struct *task)
{
	const struct task_struct___sighand *t = (const void *)task;
	struct sighand_struct *hand = BPF_CORE_READ(t, sighand);
	unsigned long flags = BPF_CORE_READ(hand, action[G_SIGSYS - 1].sa.sa_flags);

	return flags & G_SA_IMMUTABLE ? KILL_PROCESS : TRAP;
}

static __always_inline bool g_seccomp_signals(struct bpf_raw_tracepoint_args *ctx, g_container *c)
{
	const struct kernel_siginfo *info = (const void *)ctx->args[1];
	struct g_seccomp_task *t;

	if (ctx->args[0] != G_SIGSYS || ctx->args[1] <= 1 || !g_seccomp_wanted(c) ||
	    BPF_CORE_READ(info, si_code) != G_SYS_SECCOMP)
		return false;
	t = g_seccomp_task(*c);
	if (t)
		t->told = true;
	return true;
}

static __always_inline void g_seccomp_signalled(__u32 sig)
{
	struct g_seccomp_task *t;
	g_container c;

	if ((sig != G_SIGSYS && sig != G_SIGKILL) || !g_seccomp_wanted(&c))
		return;
	t = g_seccomp_task(c);
	if (t)
		t->signalled = true;
}

/* The current task ends: by a kill that made no signal? */
static __always_inline bool g_seccomp_killed(g_container *c, enum seccomp_code *ret)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	struct g_seccomp_task *t;

	if ((BPF_CORE_READ(task, exit_code) & 0x7f) != G_SIGSYS || !g_seccomp_wanted(c))
		return false;
	t = pending_end(g_seccomp_tasks);
	if (t && (t->told || t->signalled))
		return false;
	*ret = BPF_CORE_READ(task, signal, flags) & G_SIGNAL_GROUP_EXIT ? KILL_PROCESS
									: KILL_THREAD;
	return true;
}

/* An action that the kernel writes to its audit log and that no other hook shows. */
static __always_inline bool g_seccomp_logged(__u32 action, g_container *c, enum seccomp_code *ret)
{
	struct g_seccomp_task *t;

	switch (action & 0x7fff0000) { /* SECCOMP_RET_ACTION, but for the bit of KILL_PROCESS */
	case 0x7ffc0000:
		*ret = LOG;
		break;
	case 0x7fc00000:
		*ret = USER_NOTIF;
		break;
	case 0x7ff00000:
		*ret = TRACE;
		break;
	default:
		return false;
	}
	if (!g_seccomp_wanted(c))
		return false;
	t = g_seccomp_task(*c);
	if (t)
		t->told = true;
	return true;
}

#define SECCOMP_HOOKS(f)                                                                      \
	SEC("raw_tp/sys_enter")                                                               \
	int g_seccomp_enter(struct bpf_raw_tracepoint_args *ctx)                              \
	{                                                                                     \
		g_seccomp_enters();                                                           \
		return 0;                                                                     \
	}                                                                                     \
                                                                                              \
	/* args: registers, result */                                                         \
	SEC("raw_tp/sys_exit")                                                                \
	int g_seccomp_exit(struct bpf_raw_tracepoint_args *ctx)                               \
	{                                                                                     \
		struct seccomp_block block = {.code = ERRNO, .error = -(__s64)ctx->args[1]};  \
		g_container c;                                                                \
                                                                                              \
		if (g_seccomp_wanted(&c) && g_seccomp_refused(c, ctx->args[1]))               \
			f(ctx, c, &block);                                                    \
		return 0;                                                                     \
	}                                                                                     \
                                                                                              \
	/* args: signal, struct kernel_siginfo or a small number, target, … */              \
	SEC("raw_tp/signal_generate")                                                         \
	int g_seccomp_signal(struct bpf_raw_tracepoint_args *ctx)                             \
	{                                                                                     \
		struct seccomp_block block = {};                                              \
		g_container c;                                                                \
                                                                                              \
		if (!g_seccomp_signals(ctx, &c))                                              \
			return 0;                                                             \
		block.code = g_seccomp_signal_code((const struct task_struct *)ctx->args[2]); \
		f(ctx, c, &block);                                                            \
		return 0;                                                                     \
	}                                                                                     \
                                                                                              \
	/* args: signal, … */                                                               \
	SEC("raw_tp/signal_deliver")                                                          \
	int g_seccomp_deliver(struct bpf_raw_tracepoint_args *ctx)                            \
	{                                                                                     \
		g_seccomp_signalled(ctx->args[0]);                                            \
		return 0;                                                                     \
	}                                                                                     \
                                                                                              \
	SEC("raw_tp/sched_process_exit")                                                      \
	int g_seccomp_end(struct bpf_raw_tracepoint_args *ctx)                                \
	{                                                                                     \
		struct seccomp_block block = {};                                              \
		g_container c;                                                                \
                                                                                              \
		if (g_seccomp_killed(&c, &block.code))                                        \
			f(ctx, c, &block);                                                    \
		return 0;                                                                     \
	}                                                                                     \
                                                                                              \
	SEC("kprobe/audit_seccomp")                                                           \
	OPTIONAL CANNOT_TELL("calls that a filter only logs (LOG), or gives to a supervisor " \
			     "(USER_NOTIF) or a tracer (TRACE)") int                          \
	BPF_KPROBE(g_seccomp_log, unsigned long nr, long signal, int action)                  \
	{                                                                                     \
		struct seccomp_block block = {};                                              \
		g_container c;                                                                \
                                                                                              \
		if (g_seccomp_logged(action, &c, &block.code))                                \
			f(ctx, c, &block);                                                    \
		return 0;                                                                     \
	}                                                                                     \
	extern int g_seccomp_hooks_end
