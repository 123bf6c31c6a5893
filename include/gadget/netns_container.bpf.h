/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Which wanted container a network namespace is of, for packets that have no socket. Where several
 * share one it is one of them; the host's own is nobody's but the host's.
 *
 * What is wanted may be known later than who is in a namespace (names are looked for), so that
 * tasks are noted, and their containers looked up when somebody asks.
 *
 * Including it attaches its programs.
 */
#pragma once

#include <gadget/gadget.bpf.h>

enum { G_NETNS_TASKS = 4 }; /* a power of two */

/* By what g_wanted knows the containers of a namespace; the oldest give way. */
struct g_netns_tasks {
	struct {
		__u64 cgroup;
		__u64 mntns;
	} items[G_NETNS_TASKS];
	__u32 next, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, g_netns);
	__type(value, struct g_netns_tasks);
} g_netns_containers SEC(".maps");

volatile g_netns g_netns_of_host;

static __always_inline void g_netns_note(const struct task_struct *task)
{
	g_netns ns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	__u64 cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id), mntns = task_mntns(task);
	struct g_netns_tasks *tasks, first = {};
	__u32 next;

	if (!ns || ns == g_netns_of_host)
		return;
	tasks = bpf_map_lookup_elem(&g_netns_containers, &ns);
	if (!tasks) {
		first.items[0].cgroup = cgroup;
		first.items[0].mntns = mntns;
		first.next = 1;
		bpf_map_update_elem(&g_netns_containers, &ns, &first, BPF_NOEXIST);
		return;
	}
	for (int i = 0; i < G_NETNS_TASKS; i++)
		if (tasks->items[i].cgroup == cgroup && tasks->items[i].mntns == mntns)
			return;
	next = tasks->next++ & (G_NETNS_TASKS - 1);
	tasks->items[next].cgroup = cgroup;
	tasks->items[next].mntns = mntns;
}

SEC("iter/task")
AT_ATTACH
int g_netns_seen(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	g_netns ns;

	if (!task)
		return 0;
	if (BPF_CORE_READ(task, tgid) == 1) { /* the first of all */
		ns = g_netns_of_host = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
		bpf_map_delete_elem(&g_netns_containers, &ns);
	}
	g_netns_note(task);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int g_netns_of_exec(struct bpf_raw_tracepoint_args *ctx)
{
	g_netns_note((const struct task_struct *)ctx->args[0]);
	return 0;
}

static __always_inline bool g_netns_task_wanted(const struct g_netns_tasks *tasks, int i,
						g_container *ret)
{
	__u64 cgroup = tasks->items[i].cgroup, ns = tasks->items[i].mntns | G_NAMESPACE_KEY;
	g_container *c = cgroup ? bpf_map_lookup_elem(&g_wanted, &cgroup) : NULL;

	if (c && *c == G_BY_NAMESPACE)
		c = bpf_map_lookup_elem(&g_wanted, &ns);
	if (c)
		*ret = *c;
	return c;
}

static __always_inline bool wanted_netns_of(g_netns ns, g_container *ret)
{
	struct g_netns_tasks *tasks = bpf_map_lookup_elem(&g_netns_containers, &ns);

	for (int i = 0; tasks && i < G_NETNS_TASKS; i++)
		if (g_netns_task_wanted(tasks, i, ret))
			return true;
	if (!g_host || ns != g_netns_of_host)
		return false;
	*ret = G_HOST;
	return true;
}
