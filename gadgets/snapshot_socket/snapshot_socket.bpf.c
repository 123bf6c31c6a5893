// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Sockets, in three goes. First the files of all wanted processes, to note which process has which
 * socket. Then, in the network namespace of each wanted container, the kernel's own lists, which
 * also have what no process has any more: TIME_WAIT, connections that are being closed or not yet
 * accepted. Then the files once more, for those that were in no list: of kinds for which there is
 * none, and in namespaces that a process made for itself.
 */
#include <gadget/netns.bpf.h>
#include <gadget/socket.bpf.h>
#include <gadget/task.bpf.h>

GADGET("Show the sockets of containers\n"
       "TCP and UDP (IPv4 and IPv6), unix, raw, packet, netlink and others, with their ends, "
       "state, "
       "network namespace and the process that has them. Those without process (TIME_WAIT, "
       "being closed, not yet accepted) are shown where they are TCP or unix.",
       ALIAS("socket_collector")
       LIMITS("A socket that is on its way between processes, in no process's table of files, is "
	      "shown without process. Where containers share a network namespace, a TIME_WAIT "
	      "socket is shown with one of them; in the host's namespace only with --host. Of "
	      "more than 16384 sockets that processes have, the rest is shown without process.")
       SELFTEST("perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => "
		"8099, Listen => 1); sleep 1'", "src.port==8099"));

/* ---- the kernel's types --------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct udp_sock {
	struct inet_sock inet;
};
struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};
struct unix_address {
	int len;
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};
struct netlink_sock {
	struct sock sk;
	__u32 portid;
};
struct packet_sock {
	struct sock sk;
	__be16 num;
};
struct sock_common___listener {
	struct sock *skc_listener; /* of a connection that is not accepted */
};
struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
};
struct bpf_iter__unix { /* since 5.15 */
	struct bpf_iter_meta *meta;
	struct unix_sock *unix_sk;
};
struct bpf_iter__netlink {
	struct bpf_iter_meta *meta;
	struct netlink_sock *sk;
};

#pragma clang attribute pop

#define AF_NETLINK 16
#define AF_PACKET 17
#define SOCK_RAW 3

/* ---- rows ----------------------------------------------------------------------------------- */

enum socket_kind { other, TCP, UDP, unix, raw, packet, netlink };

enum socket_type { none, STREAM, DGRAM, RAW, RDM, SEQPACKET, DCCP, PACKET = 10 };

struct socket_entry {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	g_fd fd DOC("Its number in that process; -1: no process has it");
	__u32 processes DOC("How many processes have it; `proc` is the first") COL(hidden);
	enum socket_kind kind DOC("TCP, UDP, unix, raw, packet, netlink, other") COL(width = 7);
	enum socket_type type DOC("STREAM, DGRAM …") COL(width = 9, hidden);
	struct g_endpoint src DOC("This end, of IP sockets");
	struct g_endpoint dst DOC("The other end");
	g_tcp_state state DOC("As in TCP. Of others ESTABLISHED: it has another end; CLOSE: it has "
			      "none; LISTEN");
	g_text path DOC(
		"Address of a unix socket, of an accepted or connecting one that of the other "
		"end if it has none itself; @: an abstract one") COL(width = 24);
	__u32 family DOC("AF_…, as a number") COL(hidden);
	__u32 protocol DOC("IP protocol; of a packet socket the Ethernet protocol, of a netlink "
			   "socket its family (0: route)") COL(hidden);
	__u32 portid DOC("Address of a netlink socket") COL(hidden);
	g_netns netns_id DOC("Network namespace");
	g_inode ino DOC("Inode, as in /proc/PID/fd") COL(hidden);
	g_inode peer_ino DOC("Inode of a unix socket's other end") COL(hidden);
};
SNAPSHOT(sockets, socket_entry, 128, SORT("kind,proc.pid,fd,ino"));

struct owner {
	g_container container;
	struct g_process proc;
	__s32 fd;
	__u32 processes;
	__u32 last_pid;
	__u32 shown;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64); /* the struct sock */
	__type(value, struct owner);
} owners SEC(".maps");

/* ---- what a socket is ----------------------------------------------------------------------- */

static __always_inline enum socket_kind kind_of(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	if (family == AF_UNIX)
		return unix;
	if (family == AF_PACKET)
		return packet;
	if (family == AF_NETLINK)
		return netlink;
	if (family != AF_INET && family != AF_INET6)
		return other;
	if (BPF_CORE_READ(sk, sk_type) == SOCK_RAW)
		return raw;
	return protocol == IPPROTO_TCP ? TCP : protocol == IPPROTO_UDP ? UDP : other;
}

static __always_inline __u64 inode_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

/* A function of its own: where registers run out, 5.10's verifier forgets what it knew of them. */
static __noinline bool fill_address(struct socket_entry *e, const struct unix_sock *sk)
{
	struct unix_address *addr = BPF_CORE_READ(sk, addr);
	int len = addr ? BPF_CORE_READ(addr, len) - (int)sizeof(unsigned short) : 0;
	const char *name = (const char *)addr + bpf_core_field_offset(struct unix_address, name) +
			   sizeof(unsigned short);
	char first = 0;

	if (len <= 0)
		return false;
	bpf_probe_read_kernel(&first, 1, name);
	if (first) {
		text_kernel(sockets, e, path, name, 108);
		return true;
	}
	text_kernel_bytes(sockets, e, path, name, len, 108);
	g_scratch_of(sockets, e)->tail[0] = '@';
	return true;
}

static __always_inline void fill_unix(struct socket_entry *e, const struct unix_sock *sk)
{
	struct unix_sock *peer = (void *)BPF_CORE_READ(sk, peer);

	if (peer)
		e->peer_ino = inode_of(&peer->sk);
	if (!fill_address(e, sk) && peer)
		fill_address(e, peer);
}

static __always_inline void fill_common(struct socket_entry *e, const struct sock *sk,
					enum socket_kind kind, const struct g_sock_copy *copy)
{
	e->kind = kind;
	e->family = SOCK_FIELD(copy, skc_family);
	e->state = SOCK_FIELD(copy, skc_state);
	e->netns_id = sock_netns(copy);
}

/* A whole struct sock, unlike those in TIME_WAIT and those not yet accepted. */
static __always_inline void fill_socket(struct socket_entry *e, const struct sock *sk,
					enum socket_kind kind)
{
	struct g_sock_copy copy;

	sock_copy(&copy, sk);
	fill_common(e, sk, kind, &copy);
	e->type = BPF_CORE_READ(sk, sk_type);
	e->protocol = BPF_CORE_READ(sk, sk_protocol);
	e->ino = inode_of(sk);
	if (sock_is_ip(&copy))
		sock_endpoints(sk, &copy, e->protocol, &e->src, &e->dst);
	if (kind == raw)
		e->src.port = 0; /* there the kernel keeps the protocol */
	if (kind == unix)
		fill_unix(e, (const struct unix_sock *)sk);
	else if (kind == netlink)
		e->portid = BPF_CORE_READ((const struct netlink_sock *)sk, portid);
	else if (kind == packet)
		e->protocol = bpf_ntohs(BPF_CORE_READ((const struct packet_sock *)sk, num));
}

static __always_inline void fill_owner(struct socket_entry *e, const struct owner *o)
{
	e->fd = -1;
	if (!o)
		return;
	e->proc = o->proc;
	e->fd = o->fd;
	e->processes = o->processes;
}

/* ---- first: which process has it ------------------------------------------------------------ */

/* Threads that share their files with the first one: 5.10 gives these files for each. */
static __always_inline bool is_repeated(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return task != leader && BPF_CORE_READ(task, files) == BPF_CORE_READ(leader, files);
}

static __always_inline void note_owner(const struct sock *sk, g_container c,
				       struct task_struct *task, __u32 fd)
{
	__u64 key = (__u64)sk;
	__u32 pid = BPF_CORE_READ(task, tgid);
	struct owner *known = bpf_map_lookup_elem(&owners, &key), new = {};

	if (known) {
		if (known->last_pid != pid)
			known->processes++;
		known->last_pid = pid;
		return;
	}
	new.container = c;
	process_fill_task(&new.proc, task);
	new.fd = fd;
	new.processes = 1;
	new.last_pid = pid;
	bpf_map_update_elem(&owners, &key, &new, BPF_ANY);
}

static __always_inline struct sock *sock_of_iterator(const struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket;

	if (!ctx->task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = socket_of_file(file);
	return BPF_CORE_READ(socket, sk);
}

SEC("iter/task_file")
int each_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct sock *sk = sock_of_iterator(ctx);
	g_container c;

	if (sk && task && !is_repeated(task) && wanted_task(task, &c))
		note_owner(sk, c, task, ctx->fd);
	return 0;
}

/* ---- then: the kernel's lists, in each network namespace ------------------------------------ */

/* The container of who has it; of an orphan that of who made it. */
static __always_inline bool wanted_socket(const struct sock *sk, struct owner **ret_owner,
					  g_container *ret)
{
	__u64 key = (__u64)sk;
	struct owner *o = bpf_map_lookup_elem(&owners, &key);

	*ret_owner = o;
	if (o)
		*ret = o->container;
	return o || (any_process_will_do() && wanted_sock(sk, ret));
}

static __always_inline int put_socket(const struct sock *sk, enum socket_kind kind,
				      struct seq_file *seq)
{
	struct socket_entry *e;
	struct owner *o;
	g_container c;

	if (!sk)
		return 0;
	barrier_var(sk); /* nothing is computed from it before the test */
	if (!wanted_socket(sk, &o, &c))
		return 0;
	e = record_begin(sockets, c);
	if (!e)
		return 0;
	fill_owner(e, o);
	if (o)
		o->shown = true;
	fill_socket(e, sk, kind);
	snapshot_row(sockets, e, seq);
	return 0;
}

/* TIME_WAIT knows nothing of who made it; what is not accepted has its listener. */
static __always_inline int put_half_socket(const struct sock_common *common, __u8 state,
					   struct seq_file *seq)
{
	const struct sock *sk = (const struct sock *)common;
	struct g_sock_copy copy;
	struct socket_entry *e;
	struct sock *listener;
	struct owner *o;
	g_container c;

	if (state == TCP_NEW_SYN_RECV) {
		listener =
			BPF_CORE_READ((const struct sock_common___listener *)common, skc_listener);
		if (!wanted_socket(listener, &o, &c))
			return 0;
	} else if (!any_process_will_do() || !wanted_netns(&c)) {
		return 0;
	}
	e = record_begin(sockets, c);
	if (!e)
		return 0;
	sock_copy(&copy, sk);
	fill_common(e, sk, TCP, &copy);
	e->fd = -1;
	e->type = STREAM;
	e->protocol = IPPROTO_TCP;
	sock_endpoints(sk, &copy, IPPROTO_TCP, &e->src, &e->dst);
	snapshot_row(sockets, e, seq);
	return 0;
}

SEC("iter/tcp")
int each_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	__u8 state;

	if (!common)
		return 0;
	state = BPF_CORE_READ(common, skc_state);
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return put_half_socket(common, state, ctx->meta->seq);
	return put_socket((const struct sock *)common, TCP, ctx->meta->seq);
}

SEC("iter/udp")
int each_udp(struct bpf_iter__udp *ctx)
{
	return put_socket((const struct sock *)ctx->udp_sk, UDP, ctx->meta->seq);
}

SEC("iter/unix")
OPTIONAL
CANNOT_TELL("Unix sockets that no process has: connections that are not accepted")
int each_unix(struct bpf_iter__unix *ctx)
{
	return put_socket((const struct sock *)ctx->unix_sk, unix, ctx->meta->seq);
}

SEC("iter/netlink")
OPTIONAL
int each_netlink(struct bpf_iter__netlink *ctx)
{
	const struct netlink_sock *sk = ctx->sk;

	/* Those without address are the kernel's own ends. */
	return sk && sk->portid ? put_socket(&sk->sk, netlink, ctx->meta->seq) : 0;
}

/* ---- last: what was in no list -------------------------------------------------------------- */

SEC("iter/task_file")
LAST int each_file_left(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = sock_of_iterator(ctx);
	__u64 key = (__u64)sk;
	struct owner *o = sk ? bpf_map_lookup_elem(&owners, &key) : NULL;

	return o && !o->shown ? put_socket(sk, kind_of(sk), ctx->meta->seq) : 0;
}
