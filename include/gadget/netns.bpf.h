/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * For iterators over a network namespace's sockets (iter/tcp, udp, unix, netlink). The host runs
 * them in the namespace of each wanted container.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* The container that the namespace now looked into is of: set by the host before each look. */
volatile g_container g_netns_owner = G_NOBODY;

/*
 * The container of a socket that has lost its cgroup, or never had one: in TIME_WAIT, or not yet
 * accepted. Where containers share a namespace it is one of them.
 */
static __always_inline bool wanted_netns(g_container *ret)
{
	*ret = g_netns_owner;
	return *ret != G_NOBODY;
}
