/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Which wanted container a network namespace is of, for packets that have no socket. Where several
 * share one it is one of them; the host's own is nobody's but the host's.
 *
 * Including it attaches its programs.
 */
#pragma once

#include <gadget/gadget.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, g_netns);
	__type(value, g_container);
} g_netns_containers SEC(".maps");

volatile g_netns g_netns_of_host;

static __always_inline void g_netns_note(const struct task_struct *task, g_container c)
{
	g_netns ns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);

	if (ns && ns != g_netns_of_host && c != G_HOST)
		bpf_map_update_elem(&g_netns_containers, &ns, &c, BPF_NOEXIST);
}

SEC("iter/task")
AT_ATTACH
int g_netns_seen(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	g_container c;
	g_netns ns;

	if (!task)
		return 0;
	if (BPF_CORE_READ(task, tgid) == 1) { /* the first of all */
		ns = g_netns_of_host = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
		bpf_map_delete_elem(&g_netns_containers, &ns);
	}
	if (wanted_task(task, &c))
		g_netns_note(task, c);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int g_netns_of_exec(struct bpf_raw_tracepoint_args *ctx)
{
	g_container c;

	if (wanted_container(&c))
		g_netns_note((const struct task_struct *)ctx->args[0], c);
	return 0;
}

static __always_inline bool wanted_netns_of(g_netns ns, g_container *ret)
{
	g_container *c = bpf_map_lookup_elem(&g_netns_containers, &ns);

	if (c)
		*ret = *c;
	else if (g_host && ns == g_netns_of_host)
		*ret = G_HOST;
	else
		return false;
	return true;
}
