/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Who talks to whom: each edge of a container, which is a direction, a protocol, the other end's
 * address and the port of the side that serves, is told once. Including it attaches its programs
 * and makes the data source `network`; the gadget is ALONE, and says NETWORK_LIMITS.
 *
 * Which side opened it:
 *   TCP   who sent the SYN. Of a connection that was there before, a socket that listens at its
 *         port says that it was accepted.
 *   UDP   a socket whose process chose its port (servers, and peers such as mDNS's or NTP's) may be
 *         both: the first packet of each conversation says which. Of any other socket the first
 *         packet of all says it. One that was there before the gadget is a client.
 *   ICMP  who sent the echo request.
 */
#pragma once

#include <gadget/drop_reason.bpf.h>
#include <gadget/netns_container.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/skb.bpf.h>

#define NETWORK_LIMITS                                                                             \
	"Connections over TCP that were there before are told at their next packet; where nobody " \
	"listens any more at the port that they were accepted at, as if they had been opened "     \
	"here. "                                                                                   \
	"The 16384 edges "                                                                         \
	"that were seen last are remembered, of all containers together: one that was forgotten "  \
	"for others is told again when it is seen again. Which end opened a conversation over "    \
	"UDP is told by its first packet that was seen. Pings are told of who sends them, other "  \
	"protocols than TCP and UDP not at all, nor what packet sockets send. What was refused "   \
	"for want of a socket is the network namespace's: of one of its containers, where they "   \
	"share it, and of no process. Names are those of containers and pods on this machine, "    \
	"where one alone has the address; that of a Kubernetes service is `raw`."

enum edge_direction { INGRESS, EGRESS };

struct network_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum edge_direction direction DOC("EGRESS: the container opened it; INGRESS: the other end")
		COL(width=9);
	g_ipproto proto DOC("Protocol") COL(width=6);
	g_port port DOC("Port of the side that serves; 0 where the protocol has none") COL(right);
	__u8 version DOC("Version of IP: 4 or 6") COL(hidden);
	struct g_peer remote;
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(network, network_event, 0);

#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58
enum { ICMP_ECHO = 8, ICMPV6_ECHO = 128 };
enum { SOCK_BINDPORT_LOCK = 8 }; /* of sk_userlocks: the process chose the port */

struct sock___locks {
	__u8 sk_userlocks : 4;
} __attribute__((preserve_access_index));

/* ---- what was told --------------------------------------------------------------------------- */

struct edge {
	g_container container;
	g_addr remote;
	g_port port;
	g_ipproto proto;
	__u8 direction;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct edge);
	__type(value, __u8);
} edges_told SEC(".maps");

static __always_inline bool edge_is_new(const struct edge *edge)
{
	__u8 told = 1;

	return !bpf_map_lookup_elem(&edges_told, edge) &&
	       bpf_map_update_elem(&edges_told, edge, &told, BPF_NOEXIST) != -17 /* EEXIST */;
}

static __always_inline void edge_tell(const struct edge *edge, const struct g_process *owner,
				      __u8 version, g_netns netns)
{
	struct network_event e = {.timestamp = bpf_ktime_get_boot_ns(),
				  .container = edge->container,
				  .direction = edge->direction,
				  .proto = edge->proto,
				  .port = edge->port,
				  .version = version,
				  .netns_id = netns};

	if (owner)
		e.proc = *owner;
	text_peer(&e, remote, edge->remote);
	record_output(network, &e, sizeof(e));
}

/* ---- UDP: which side opened it --------------------------------------------------------------- */

enum udp_role { UDP_UNUSED, UDP_CLIENT, UDP_SERVER };

/* Of sockets whose ports the kernel chose. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, enum udp_role);
} udp_roles SEC(".maps");

/* Of all: of the others the role, and a late answer, whose socket is gone, opens nothing. */
struct conversation {
	g_addr remote;
	g_netns netns;
	g_port remote_port, local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct conversation);
	__type(value, enum udp_role);
} conversations SEC(".maps");

SEC("cgroup/sock_create")
int network_sock_made(struct bpf_sock *sk)
{
	if (sk->protocol == IPPROTO_UDP)
		bpf_sk_storage_get(&udp_roles, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 1;
}

static __always_inline struct conversation
conversation_of(const struct g_endpoint *local, const struct g_endpoint *remote, g_netns netns)
{
	struct conversation key = {
		.netns = netns, .remote_port = remote->port, .local_port = local->port};

	__builtin_memcpy(key.remote, remote->addr, sizeof(key.remote));
	return key;
}

/* The socket's, whose port the kernel chose. */
static __always_inline enum udp_role udp_role_of_sock(struct bpf_sock *sk, enum udp_role first)
{
	enum udp_role *role = bpf_sk_storage_get(&udp_roles, sk, 0, 0);

	if (!role)
		return UDP_CLIENT;
	if (*role == UDP_UNUSED)
		*role = first;
	return *role;
}

static __always_inline enum udp_role udp_role(struct __sk_buff *skb, struct bpf_sock *sk,
					      const struct packet *p, bool egress)
{
	struct conversation key = conversation_of(egress ? &p->src : &p->dst,
						  egress ? &p->dst : &p->src, packet_netns(skb));
	enum udp_role *known = bpf_map_lookup_elem(&conversations, &key);
	enum udp_role role = egress ? UDP_CLIENT : UDP_SERVER;
	struct sock___locks *locks = (void *)packet_sock(skb);

	if (known)
		return *known;
	if (!(BPF_CORE_READ_BITFIELD_PROBED(locks, sk_userlocks) & SOCK_BINDPORT_LOCK))
		role = udp_role_of_sock(sk, role);
	bpf_map_update_elem(&conversations, &key, &role, BPF_ANY);
	return role;
}

/* ---- TCP: what was there before -----------------------------------------------------------------
 */

/* Sockets whose SYN was seen: a listener's is inherited by what it accepts. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u8);
} tcp_known SEC(".maps");

/* True once for each socket. */
static __always_inline bool tcp_is_unknown(struct bpf_sock *sk)
{
	__u8 *known = bpf_sk_storage_get(&tcp_known, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!known || *known)
		return false;
	*known = 1;
	return true;
}

/* Of any other port of the peer's, which finds what listens and no connection. */
static __always_inline bool tcp_listens(struct __sk_buff *skb, const struct g_endpoint *local,
					const struct g_endpoint *remote)
{
	struct bpf_sock_tuple tuple = {};
	bool v4 = local->version == 4, listens;
	struct bpf_sock *sk;

	if (v4) {
		tuple.ipv4.saddr = ((const __u32 *)remote->addr)[3];
		tuple.ipv4.daddr = ((const __u32 *)local->addr)[3];
		tuple.ipv4.dport = bpf_htons(local->port);
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, remote->addr, sizeof(g_addr));
		__builtin_memcpy(tuple.ipv6.daddr, local->addr, sizeof(g_addr));
		tuple.ipv6.dport = bpf_htons(local->port);
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	listens = sk && sk->state == TCP_LISTEN;
	if (sk)
		bpf_sk_release(sk);
	return listens;
}

/* False: it was told before, or says nothing. */
static __always_inline bool tcp_edge(struct __sk_buff *skb, struct bpf_sock *sk,
				     const struct packet *p, bool egress, struct edge *edge)
{
	const struct g_endpoint *local = egress ? &p->src : &p->dst;
	const struct g_endpoint *remote = egress ? &p->dst : &p->src;
	bool unknown = tcp_is_unknown(sk), served;

	if ((p->tcp_flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN)
		return true;
	if (!unknown || p->tcp_flags & (PACKET_SYN | PACKET_RST) || sk->state == TCP_LISTEN)
		return false;
	served = tcp_listens(skb, local, remote);
	edge->direction = served ? INGRESS : EGRESS;
	edge->port = served ? local->port : remote->port;
	return true;
}

/* ---- packets --------------------------------------------------------------------------------- */

/*
 * Direction and port into *edge, of a packet that tells them; `at` is where the protocol's header
 * begins. False: it says nothing of who opened what.
 */
static __always_inline bool edge_of_packet(struct __sk_buff *skb, struct bpf_sock *sk,
					   struct packet *p, __u32 at, bool egress,
					   struct edge *edge)
{
	struct g_tcp_header header;
	enum udp_role role;

	edge->direction = egress ? EGRESS : INGRESS;
	edge->proto = p->src.proto;
	if (bpf_skb_load_bytes(skb, at, &header, edge->proto == IPPROTO_TCP ? sizeof(header) : 8))
		return false;
	p->src.port = bpf_ntohs(header.src);
	p->dst.port = bpf_ntohs(header.dst);
	edge->port = p->dst.port;
	switch (edge->proto) {
	case IPPROTO_TCP:
		p->tcp_flags = header.flags;
		return tcp_edge(skb, sk, p, egress, edge);
	case IPPROTO_UDP:
		role = udp_role(skb, sk, p, egress);
		edge->direction = role == UDP_CLIENT ? EGRESS : INGRESS;
		edge->port = (role == UDP_CLIENT) == egress ? p->dst.port : p->src.port;
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		edge->port = 0;
		return egress && p->src.port >> 8 == /* its type */
					 (edge->proto == IPPROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO);
	}
	return false;
}

__noinline int network_see(struct __sk_buff *skb, __u32 egress)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct edge edge = {};
	const struct g_process *owner;
	struct packet p;
	__u32 at;

	if (!sk || !packet_wanted(skb, &edge.container))
		return 0;
	at = packet_addresses(skb, &p);
	if (!at || !edge_of_packet(skb, sk, &p, at, egress, &edge))
		return 0;
	__builtin_memcpy(edge.remote, egress ? p.dst.addr : p.src.addr, sizeof(edge.remote));
	owner = owner_of_packet(skb);
	if (owner_wanted(owner) && edge_is_new(&edge))
		edge_tell(&edge, owner, p.src.version, packet_netns(skb));
	return 0;
}

/* What is not wanted leaves here. */
static __always_inline bool network_wanted(struct __sk_buff *skb)
{
	g_container c;

	return skb->sk && packet_wanted(skb, &c);
}

SEC("cgroup_skb/ingress")
int network_ingress(struct __sk_buff *skb)
{
	if (network_wanted(skb))
		network_see(skb, false);
	return 1;
}

SEC("cgroup_skb/egress")
int network_egress(struct __sk_buff *skb)
{
	if (network_wanted(skb))
		network_see(skb, true);
	return 1;
}

/* ---- refused: nobody listens there, so that there is no socket ------------------------------ */

static __always_inline bool is_for_no_socket(struct bpf_raw_tracepoint_args *ctx,
					     const struct sk_buff *skb)
{
	if (drops_have_reasons() &&
	    ctx->args[2] != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NO_SOCKET))
		return false;
	return !BPF_CORE_READ(skb, sk) &&
	       BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) == SKB_TO_HOST;
}

/* A SYN, or a datagram that is no answer. */
static __always_inline bool opens(const struct g_endpoint *src, const struct g_endpoint *dst,
				  const struct g_tcp_header *tcp, g_netns netns)
{
	struct conversation key;

	if (src->proto == IPPROTO_TCP)
		return (tcp->flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN;
	if (src->proto != IPPROTO_UDP)
		return false;
	key = conversation_of(dst, src, netns);
	return !bpf_map_lookup_elem(&conversations, &key);
}

SEC("raw_tp/kfree_skb")
int network_refused(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	struct g_endpoint src = {}, dst = {};
	struct g_tcp_header tcp = {};
	struct edge edge = {.direction = INGRESS};
	g_netns netns;

	if (!is_for_no_socket(ctx, skb))
		return 0;
	netns = skb_netns(skb);
	if (!wanted_netns_of(netns, &edge.container) || !owner_wanted(NULL) ||
	    !skb_ends(skb, &src, &dst, &tcp) || !opens(&src, &dst, &tcp, netns))
		return 0;
	edge.proto = src.proto;
	edge.port = dst.port;
	__builtin_memcpy(edge.remote, src.addr, sizeof(edge.remote));
	if (edge_is_new(&edge))
		edge_tell(&edge, NULL, src.version, netns);
	return 0;
}
