/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: what the host fills in when it loads a gadget, and by that, whether a task,
 * a socket and their container are wanted.
 */
#pragma once

#include <gadget/kernel.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include <gadget/types.h>

/* ---- maps and constants that the host fills ------------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} g_wanted SEC(".maps"); /* this tracer's containers: types.h tells the keys */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} g_containers SEC(".maps"); /* all containers; looked at only with --host */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, G_SLOTS + G_NAME_SLOTS);
	__type(key, __u32);
	__type(value, struct g_counters);
} g_counters SEC(".maps"); /* by slot of the container */

const volatile bool g_host;		/* follow what is in no container, too */
const volatile __u32 g_target_pid;	/* 0: any */
const volatile __u32 g_target_tid;	/* 0: any */
const volatile __s64 g_target_uid = -1; /* -1: any */
const volatile __s64 g_target_gid = -1;
const volatile char g_target_comm[16]; /* "": any */

/* Of this machine. */
const volatile __u32 g_page_bytes = 4096;
const volatile __u32 g_cpus = 1;
const volatile __u64 g_ram_bytes = 1;

/* ---- is this container wanted? -------------------------------------------------------------- */

static __always_inline bool g_comm_wanted(const char *comm)
{
	for (int i = 0; i < 16; i++) {
		if (comm[i] != g_target_comm[i])
			return false;
		if (!comm[i])
			break;
	}
	return true;
}

/* None of --pid, --tid, --uid, --gid and --comm was given: what has no process will do as well. */
static __always_inline bool any_process_will_do(void)
{
	return !g_target_pid && !g_target_tid && g_target_uid < 0 && g_target_gid < 0 &&
	       !g_target_comm[0];
}

/* What they say to the current task. */
static __always_inline bool process_wanted(void)
{
	if (g_target_pid && g_target_pid != bpf_get_current_pid_tgid() >> 32)
		return false;
	if (g_target_tid && g_target_tid != (__u32)bpf_get_current_pid_tgid())
		return false;
	if (g_target_uid >= 0 && g_target_uid != (__u32)bpf_get_current_uid_gid())
		return false;
	if (g_target_gid >= 0 && g_target_gid != bpf_get_current_uid_gid() >> 32)
		return false;
	if (g_target_comm[0]) {
		char comm[16];

		bpf_get_current_comm(comm, sizeof(comm));
		return g_comm_wanted(comm);
	}
	return true;
}

/* The same of any task. */
static __always_inline bool task_wanted(const struct task_struct *task)
{
	if (g_target_pid && g_target_pid != BPF_CORE_READ(task, tgid))
		return false;
	if (g_target_tid && g_target_tid != BPF_CORE_READ(task, pid))
		return false;
	if (g_target_uid >= 0 && g_target_uid != BPF_CORE_READ(task, cred, uid.val))
		return false;
	if (g_target_gid >= 0 && g_target_gid != BPF_CORE_READ(task, cred, gid.val))
		return false;
	if (g_target_comm[0]) {
		char comm[16] = {};

		bpf_core_read_str(comm, sizeof(comm), &task->comm);
		return g_comm_wanted(comm);
	}
	return true;
}

/* Where the cgroup id did not settle it: several containers in one cgroup, or the host. */
static __always_inline bool g_wanted_slow(const g_container *by_cgroup, __u64 cgroup, __u64 ns,
					  g_container *ret)
{
	__u64 key = ns | G_NAMESPACE_KEY;
	g_container *c;

	if (by_cgroup) {
		c = bpf_map_lookup_elem(&g_wanted, &key);
		if (c) {
			*ret = *c;
			return true;
		}
	}
	if (!g_host)
		return false;
	c = bpf_map_lookup_elem(&g_containers, &cgroup);
	if (c && (*c != G_BY_NAMESPACE || bpf_map_lookup_elem(&g_containers, &key)))
		return false;
	*ret = G_HOST;
	return true;
}

static __always_inline __u32 task_mntns(const struct task_struct *task)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

/*
 * From 5.11 on a program may follow its own task's pointers by plain loads, at a tenth of the price
 * of helper calls. But each pointer that is followed costs the verifier 2 ms (6.18): for records,
 * not for the look-up that every program begins with.
 */
static __always_inline bool g_typed_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/*
 * The current task's container, if this tracer wants it, whatever --pid and the like say: where the
 * record is of another task than this one of its threads (task_wanted() then).
 */
static __always_inline bool wanted_container(g_container *ret)
{
	__u64 cgroup = bpf_get_current_cgroup_id();
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, task_mntns((struct task_struct *)bpf_get_current_task()),
			     ret);
}

/*
 * The current task's container, if this tracer wants it and that task. Not for softirq context: see
 * wanted_sock().
 */
static __always_inline bool wanted(g_container *ret)
{
	return wanted_container(ret) && process_wanted();
}

/*
 * Any task's container, if this tracer wants it and that task: for iterators, and where one task
 * does something to another.
 */
static __always_inline bool wanted_task(struct task_struct *task, g_container *ret)
{
	__u64 cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return task_wanted(task);
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, task_mntns(task), ret) && task_wanted(task);
}

/* The cgroup id of who made the socket; 0 where an old kernel does not tell. */
static __always_inline __u64 sock_cgroup(const struct sock *sk)
{
	struct sock_cgroup_data___5_14 *old = (void *)&sk->sk_cgrp_data;
	struct cgroup *cgroup;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		cgroup = (void *)BPF_CORE_READ(old, val);
		if ((__u64)cgroup & 3)
			return 0;
	}
	return BPF_CORE_READ(cgroup, kn, id);
}

/* The container of a socket of this cgroup, if this tracer wants it. */
static __always_inline bool wanted_sock_of(const struct sock *sk, __u64 cgroup, g_container *ret)
{
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum), ret);
}

/*
 * A socket's container: the only right one in softirq context, where `current` is whoever was
 * interrupted.
 */
static __always_inline bool wanted_sock(const struct sock *sk, g_container *ret)
{
	return wanted_sock_of(sk, sock_cgroup(sk), ret);
}
