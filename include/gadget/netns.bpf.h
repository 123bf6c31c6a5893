/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * For iterators over a network namespace's sockets (iter/tcp, udp, unix, netlink). The host runs
 * them in the namespace of each wanted container.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* The container of the namespace that is looked into now: set by the host before each look. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, g_container);
} g_netns_owner SEC(".maps");

/*
 * The container of a socket that has lost its cgroup, or never had one: in TIME_WAIT, or not yet
 * accepted. Where containers share a namespace it is one of them.
 */
static __always_inline bool wanted_netns(g_container *ret)
{
	__u32 zero = 0;
	g_container *owner = bpf_map_lookup_elem(&g_netns_owner, &zero);

	if (!owner || *owner == G_NOBODY)
		return false;
	*ret = *owner;
	return true;
}
