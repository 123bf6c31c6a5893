/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Which wanted container a network namespace is of, for packets that have no socket. Where several
 * share one it is one of them; the host's own is nobody's but the host's.
 *
 * The programs note whose processes are in a namespace, wanted or not, and who asks looks which of
 * them is wanted now: tracers that come later may share the programs.
 *
 * Including it attaches its programs.
 */
#pragma once

#include <gadget/gadget.bpf.h>

enum { G_NETNS_CGROUPS = 4 };

struct g_netns_cgroups {
	__u64 ids[G_NETNS_CGROUPS]; /* 0: none, nor behind it */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, g_netns);
	__type(value, struct g_netns_cgroups);
} g_netns_seen SEC(".maps");

volatile g_netns g_netns_of_host;

static __always_inline bool g_wanted_in_netns(__u64 cgroup, g_netns ns, g_container *ret)
{
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	return c && g_wanted_slow(c, cgroup, ns, ret) && *ret != G_HOST;
}

/* Where there is room for one more: a free place, or that of one that nobody wants, gone mostly. */
static __always_inline int g_netns_place(const struct g_netns_cgroups *known, g_netns ns)
{
	g_container c;

	_Pragma("unroll") for (int i = 0; i < G_NETNS_CGROUPS; i++)
	{
		if (!known->ids[i])
			return i;
	}
	_Pragma("unroll") for (int i = 0; i < G_NETNS_CGROUPS; i++)
	{
		if (!g_wanted_in_netns(known->ids[i], ns, &c))
			return i;
	}
	return -1;
}

static __always_inline void g_netns_note(const struct task_struct *task)
{
	__u64 cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	g_netns ns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	struct g_netns_cgroups *known, new = {.ids = {cgroup}};
	int place;

	if (!ns || ns == g_netns_of_host)
		return;
	known = bpf_map_lookup_elem(&g_netns_seen, &ns);
	if (!known) {
		bpf_map_update_elem(&g_netns_seen, &ns, &new, BPF_NOEXIST);
		return;
	}
	_Pragma("unroll") for (int i = 0; i < G_NETNS_CGROUPS; i++)
	{
		if (known->ids[i] == cgroup)
			return;
	}
	place = g_netns_place(known, ns);
	if (place >= 0)
		known->ids[place & (G_NETNS_CGROUPS - 1)] = cgroup;
}

SEC("iter/task")
AT_ATTACH
int g_netns_of_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	g_netns ns;

	if (!task)
		return 0;
	if (!ctx->meta->seq_num) { /* the first of all, as we number them */
		ns = g_netns_of_host = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
		bpf_map_delete_elem(&g_netns_seen, &ns);
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

static __always_inline bool wanted_netns_of(g_netns ns, g_container *ret)
{
	struct g_netns_cgroups *known = bpf_map_lookup_elem(&g_netns_seen, &ns);

	if (known) {
		_Pragma("unroll") for (int i = 0; i < G_NETNS_CGROUPS; i++)
		{
			__u64 cgroup = known->ids[i];

			if (!cgroup)
				return false;
			if (g_wanted_in_netns(cgroup, ns, ret))
				return true;
		}
		return false;
	}
	if (!g_host || ns != g_netns_of_host)
		return false;
	*ret = G_HOST;
	return true;
}
