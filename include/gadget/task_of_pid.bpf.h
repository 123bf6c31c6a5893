/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The task that a number names which a process passes to a call: in the process's pid namespace, as
 * the kernel's find_task_by_vpid() finds it.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct xarray {
	void *xa_head;
};
struct xa_node {
	unsigned char shift;
	void *slots[64];
};
struct idr {
	struct xarray idr_rt;
};
struct pid_namespace___idr {
	struct idr idr; /* struct pid by number */
};
struct pid___tasks {
	struct hlist_head tasks[1]; /* by enum pid_type; the first is of the task itself */
};
struct task_struct___links {
	struct hlist_node pid_links[1];
};
#pragma clang attribute pop

/* An xarray's entries: a node, marked by its lowest bits, or what is stored. */
enum { XA_NODE_MARK = 2, XA_MARK_BITS = 3, XA_CHUNK_BITS = 6, XA_MAX_DEPTH = 6 };

static __always_inline bool g_xa_is_node(__u64 entry)
{
	return (entry & XA_MARK_BITS) == XA_NODE_MARK && entry > 4096;
}

static __always_inline struct pid *g_pid_of_number(const struct pid_namespace *ns, __u64 number)
{
	const struct pid_namespace___idr *by_number = (const void *)ns;
	__u64 entry = 0;
	__u8 shift;

	if (!bpf_core_field_exists(by_number->idr))
		return NULL;
	entry = (__u64)BPF_CORE_READ(by_number, idr.idr_rt.xa_head);
	for (int depth = 0; depth < XA_MAX_DEPTH && g_xa_is_node(entry); depth++) {
		const struct xa_node *node = (void *)(entry - XA_NODE_MARK);
		void *const *slots = (void *)node + bpf_core_field_offset(struct xa_node, slots);

		shift = BPF_CORE_READ(node, shift) & 63;
		if (!depth && number >> shift >> XA_CHUNK_BITS)
			return NULL; /* above all that are stored */
		entry = 0;
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      slots + (number >> shift & ((1 << XA_CHUNK_BITS) - 1)));
	}
	return g_xa_is_node(entry) ? NULL : (struct pid *)entry;
}

/* The task whose own id a struct pid is: of a process's id its first thread. NULL: it is gone. */
static __always_inline struct task_struct *pid_task_of(const struct pid *pid)
{
	const struct pid___tasks *of = (const void *)pid;
	struct hlist_node *link = BPF_CORE_READ(of, tasks[0].first);

	return link ? (void *)link - bpf_core_field_offset(struct task_struct___links, pid_links)
		    : NULL;
}

/* NULL: there is none. */
static __always_inline struct task_struct *task_of_pid(pid_t number)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(current, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);
	struct upid own = {};

	if (number <= 0)
		return NULL;
	bpf_probe_read_kernel(&own, sizeof(own), numbers + (level & 63));
	return pid_task_of(g_pid_of_number(own.ns, number));
}
