/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Which process a socket belongs to, for programs that run where `current` is whoever was
 * interrupted. It is noted at the socket itself when a process makes, connects or (UDP, without
 * connection) uses it; what a listener accepts has the listener's until then. Sockets that were
 * there before are found in processes' files when the gadget is attached.
 *
 *   const struct g_process *p = owner_of_packet(skb);    cgroup_skb
 *   owner_of_sock(sk, &e->proc);                         any program, raw_tp among them
 *
 * Including it attaches its programs.
 */
#pragma once

#include <gadget/packet.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct g_process);
} g_owners SEC(".maps");

/*
 * Linux 5.10: of sockets that were there before, by address, until a program asks at a packet. What
 * a listener accepts inherits only if its SYN was asked about.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct g_process);
} g_owners_before SEC(".maps");

/* ---- noting --------------------------------------------------------------------------------- */

/* A process that was noted and has the same name now needs no new look. */
static __always_inline void g_owner_note(struct g_process *owner)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 comm[2] = {};

	if (!owner)
		return;
	bpf_core_read(comm, sizeof(comm), &task->comm);
	if (owner->tid == BPF_CORE_READ(task, pid) && ((__u64 *)owner->comm)[0] == comm[0] &&
	    ((__u64 *)owner->comm)[1] == comm[1])
		return;
	process_fill_task(owner, task);
}

SEC("cgroup/sock_create")
int g_owner_made(struct bpf_sock *sk)
{
	g_owner_note(bpf_sk_storage_get(&g_owners, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE));
	return 1;
}

/* In containers that nobody wants, who made it will do. */
static __always_inline int g_owner_used(struct bpf_sock_addr *ctx)
{
	g_container c;

	if (wanted_container(&c))
		g_owner_note(
			bpf_sk_storage_get(&g_owners, ctx->sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE));
	return 1;
}

#define G_OWNER_USED(HOOK)                            \
	SEC("cgroup/" #HOOK)                          \
	int g_owner_##HOOK(struct bpf_sock_addr *ctx) \
	{                                             \
		return g_owner_used(ctx);             \
	}
G_OWNER_USED(connect4)
G_OWNER_USED(connect6)
G_OWNER_USED(sendmsg4)
G_OWNER_USED(sendmsg6)
G_OWNER_USED(recvmsg4)
G_OWNER_USED(recvmsg6)

static __always_inline bool g_is_ip(__u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

/* From 5.11 on this may write to the socket itself. */
static __always_inline void g_owner_found(struct file *file, struct task_struct *task)
{
	struct socket *socket = bpf_sock_from_file(file);
	struct sock *sk = socket ? socket->sk : NULL;
	struct g_process p = {};

	if (!sk || !g_is_ip(sk->__sk_common.skc_family))
		return;
	process_fill_task(&p, task);
	bpf_sk_storage_get(&g_owners, sk, &p, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline void g_owner_found_5_10(struct file *file, struct task_struct *task)
{
	struct socket *socket = socket_of_file(file);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct g_process p = {};
	__u64 key = (__u64)sk;

	if (!g_is_ip(BPF_CORE_READ(sk, __sk_common.skc_family)))
		return;
	process_fill_task(&p, task);
	bpf_map_update_elem(&g_owners_before, &key, &p, BPF_NOEXIST);
}

SEC("iter/task_file")
AT_ATTACH
int g_owner_seen(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file))
		g_owner_found(file, task);
	else
		g_owner_found_5_10(file, task);
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* In cgroup_skb; NULL: not known. */
static __always_inline struct g_process *owner_of_packet(struct __sk_buff *skb)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct g_process *owner;
	__u64 key;

	if (!sk)
		return NULL;
	owner = bpf_sk_storage_get(&g_owners, sk, 0, 0);
	if (owner)
		return owner;
	key = g_address_of(sk);
	owner = bpf_map_lookup_elem(&g_owners_before, &key);
	if (!owner)
		return NULL;
	/* So that what it accepts has it as well. */
	return bpf_sk_storage_get(&g_owners, sk, owner, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/*
 * The same of any whole socket, in any program. Only some kinds may ask the kernel for what lies at
 * a socket, so this looks through its list itself. False: not known, *ret is as it was.
 */
static __always_inline bool owner_of_sock(const struct sock *sk, struct g_process *ret)
{
	struct bpf_local_storage *storage = BPF_CORE_READ(sk, sk_bpf_storage);
	struct hlist_node *node = storage ? BPF_CORE_READ(storage, list.first) : NULL;
	__u64 key = (__u64)sk, map = g_address_of(&g_owners);
	struct g_process *owner;

	for (int i = 0; i < 16 && node; i++) {
		struct bpf_local_storage_elem *elem =
			(void *)node - bpf_core_field_offset(struct bpf_local_storage_elem, snode);

		if ((__u64)BPF_CORE_READ(elem, sdata.smap) == map)
			return !bpf_core_read(ret, sizeof(*ret), &elem->sdata.data);
		node = BPF_CORE_READ(node, next);
	}
	owner = bpf_map_lookup_elem(&g_owners_before, &key);
	if (owner)
		*ret = *owner;
	return owner;
}

/* What --pid, --tid, --uid, --gid and --comm say to it; NULL: only nobody in particular will do. */
static __always_inline bool owner_wanted(const struct g_process *owner)
{
	if (any_process_will_do())
		return true;
	if (!owner || (g_target_pid && g_target_pid != owner->pid) ||
	    (g_target_tid && g_target_tid != owner->tid) ||
	    (g_target_uid >= 0 && g_target_uid != owner->creds.uid) ||
	    (g_target_gid >= 0 && g_target_gid != owner->creds.gid))
		return false;
	return !g_target_comm[0] || g_comm_wanted(owner->comm);
}
