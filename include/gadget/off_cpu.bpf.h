/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Tasks from where they leave their CPU on. For SEC("raw_tp/sched_switch"), which runs for each
 * switch of the machine, in the scheduler, where no memory can be had: a gadget defines
 * G_PREALLOCATED before it includes anything.
 *
 *   OFF_CPU(off, struct waiting);   a value by thread id; entries are made by the gadget when the
 *                                   current task is switched out, and deleted when it comes back
 *
 * A switch's hook runs before any wake-up of the task that leaves: that one waits for the lock that
 * the switch holds, or for the task to have left.
 */
#pragma once

#ifndef G_PREALLOCATED
#error "programs in the scheduler: define G_PREALLOCATED"
#endif

#include <gadget/gadget.bpf.h>
#include <gadget/task.bpf.h>

#define OFF_CPU(NAME, TYPE)                      \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, 16384);      \
		__type(key, __u32);              \
		__type(value, TYPE);             \
	} NAME SEC(".maps")

/* Arguments of the hook; since 5.18 the state of `from` behind them. */
enum { G_SWITCH_PREEMPT, G_SWITCH_FROM, G_SWITCH_TO, G_SWITCH_STATE };

static __always_inline const struct task_struct *switch_from(struct bpf_raw_tracepoint_args *ctx)
{
	return (const void *)ctx->args[G_SWITCH_FROM];
}

/*
 * The task that leaves wants to run on: another one is to, or a signal has come before it could
 * wait. (Of that, the argument knows nothing.)
 */
static __always_inline bool switch_is_runnable(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[G_SWITCH_PREEMPT] || !task_state_bits(switch_from(ctx));
}

/*
 * What it waits in. Before 5.18 there is only the task to ask, which may be TASK_WAKING already:
 * another CPU found it switched off.
 */
static __always_inline __u32 switch_state_bits(struct bpf_raw_tracepoint_args *ctx)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ima_file_hash))
		return ctx->args[G_SWITCH_STATE];
	return task_state_bits(switch_from(ctx));
}
