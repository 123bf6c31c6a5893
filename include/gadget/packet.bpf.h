/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Packets of sockets, as SEC("cgroup_skb/ingress") and SEC("cgroup_skb/egress") see them: once for
 * each socket that sends or receives them, whatever its network namespace, IP header first.
 * Fragments are put together (received) or not yet made (sent); TCP segments may be larger than any
 * that was on the wire. Such a program returns 1, or the packet is dropped.
 *
 *   PACKET_TRACER(dns, dns_event, 8192);
 *
 *   struct packet p;
 *   if (!packet_wanted(skb, &c) || !packet_parse(skb, &p) || p.dst.port != 53)
 *           return 1;
 *   struct dns_event *e = packet_record_begin(dns, c);
 *   if (!e)
 *           return 1;
 *   text_packet(dns, e, data, skb, p.payload, p.payload_len, 8192);
 *   packet_record_submit(dns, e);
 *
 * These programs run in processes as well as in softirq context, and a newer kernel may run another
 * task's in the middle of one: what is scratch memory of one CPU elsewhere is taken here from a few
 * places, and given back by packet_record_submit() or packet_record_drop().
 */
#pragma once

#include <gadget/socket.bpf.h>

/* ---- what a packet is ----------------------------------------------------------------------- */

struct packet {
	struct g_endpoint src, dst; /* with version of IP and protocol */
	__u32 payload;		    /* where it begins in the packet */
	__u32 payload_len;
	__u32 seq;	/* TCP: of the payload's first byte */
	__u32 ack;	/* TCP: what the sender expects next, if tcp_flags has PACKET_ACK */
	__u8 tcp_flags; /* PACKET_… */
};

enum { PACKET_FIN = 1, PACKET_SYN = 2, PACKET_RST = 4, PACKET_PSH = 8, PACKET_ACK = 16 };

enum {
	G_IPV6_HOP = 0,
	G_IPV6_ROUTING = 43,
	G_IPV6_FRAGMENT = 44,
	G_AH = 51,
	G_IPV6_DESTINATION = 60
};

struct g_ipv4_header {
	__u8 version_words, tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 src, dst;
};
struct g_ipv6_header {
	__be32 version;
	__be16 length;
	__u8 next, hops;
	struct in6_addr src, dst;
};
struct g_tcp_header {
	__be16 src, dst;
	__be32 seq, ack;
	__u8 words, flags;
	__be16 window;
};

/* Where the headers of TCP or UDP begin; 0: not IPv4, or only a part of a packet. */
static __always_inline __u32 g_packet_ipv4(struct __sk_buff *skb, struct packet *p)
{
	struct g_ipv4_header ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.version_words >> 4 != 4 ||
	    ip.fragment & bpf_htons(0x1fff))
		return 0;
	g_endpoint_ipv4(&p->src, ip.src);
	g_endpoint_ipv4(&p->dst, ip.dst);
	p->src.proto = ip.protocol;
	return (ip.version_words & 15) * 4;
}

/*
 * Past an IPv6 packet's extension headers: where, << 8, and the protocol there. A global function,
 * which the verifier looks at once, not for each way through the headers.
 */
__noinline int g_packet_ipv6_end(struct __sk_buff *skb)
{
	__u32 at = sizeof(struct g_ipv6_header);
	__u8 next, more[2];

	if (bpf_skb_load_bytes(skb, __builtin_offsetof(struct g_ipv6_header, next), &next, 1))
		return 0;
	for (int i = 0; i < 8; i++) {
		if (next != G_IPV6_HOP && next != G_IPV6_ROUTING && next != G_IPV6_FRAGMENT &&
		    next != G_AH && next != G_IPV6_DESTINATION)
			break;
		if (bpf_skb_load_bytes(skb, at, more, sizeof(more)))
			return 0;
		at += next == G_IPV6_FRAGMENT ? 8
		      : next == G_AH	      ? (more[1] + 2) * 4
					      : (more[1] + 1) * 8;
		next = more[0];
	}
	return at << 8 | next;
}

static __always_inline __u32 g_packet_ipv6(struct __sk_buff *skb, struct packet *p)
{
	struct g_ipv6_header ip;
	__u32 end;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	end = g_packet_ipv6_end(skb);
	g_endpoint_ipv6(&p->src, &ip.src);
	g_endpoint_ipv6(&p->dst, &ip.dst);
	p->src.proto = end & 255;
	return end >> 8;
}

/*
 * Fills addresses, version of IP and protocol. Where the header of the protocol begins; 0: not IP,
 * or not the first fragment.
 */
static __always_inline __u32 packet_addresses(struct __sk_buff *skb, struct packet *p)
{
	__u32 at;

	__builtin_memset(p, 0, sizeof(*p));
	at = g_packet_ipv4(skb, p) ?: g_packet_ipv6(skb, p);
	p->dst.proto = p->src.proto;
	return at;
}

/* False: neither TCP nor UDP over IP, or its headers are not whole. */
static __always_inline bool packet_parse(struct __sk_buff *skb, struct packet *p)
{
	__u32 at = packet_addresses(skb, p), length = skb->len;
	struct g_tcp_header tcp;

	if (!at)
		return false;
	if (p->src.proto == IPPROTO_UDP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, 8))
			return false;
		p->payload = at + 8;
	} else if (p->src.proto == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
			return false;
		p->payload = at + (tcp.words >> 4) * 4;
		p->tcp_flags = tcp.flags;
		p->seq = bpf_ntohl(tcp.seq) + (tcp.flags & PACKET_SYN ? 1 : 0);
		p->ack = bpf_ntohl(tcp.ack);
	} else {
		return false;
	}
	p->src.port = bpf_ntohs(tcp.src);
	p->dst.port = bpf_ntohs(tcp.dst);
	p->payload_len = length > p->payload ? length - p->payload : 0;
	return true;
}

/* ---- whose it is ---------------------------------------------------------------------------- */

/* The address of what a program has as a typed pointer: a number that it may compute with. */
#define g_address_of(pointer)                                                        \
	({                                                                           \
		const volatile void *volatile typed_ = (pointer);                    \
		__u64 address_ = 0;                                                  \
                                                                                     \
		bpf_probe_read_kernel(&address_, sizeof(address_), (void *)&typed_); \
		address_;                                                            \
	})

/* The packet's socket, for what looks into sockets. */
static __always_inline struct sock *packet_sock(struct __sk_buff *skb)
{
	return (struct sock *)g_address_of(skb->sk);
}

/* The container of the packet's socket, if this tracer wants it. Ask first, and leave. */
static __always_inline bool packet_wanted(struct __sk_buff *skb, g_container *ret)
{
	__u64 cgroup = bpf_skb_cgroup_id(skb);
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	return (c || g_host) && wanted_sock_of(packet_sock(skb), cgroup, ret);
}

/* The packet's socket where programs may keep something at it; NULL: not a whole one. */
static __always_inline struct bpf_sock *packet_whole_sock(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

/* Its socket's protocol, IPPROTO_TCP …; 0: nobody wants the packet, or it has no whole socket. */
static __always_inline __u32 packet_wanted_protocol(struct __sk_buff *skb, g_container *ret)
{
	struct bpf_sock *sk = NULL;

	if (skb->sk && packet_wanted(skb, ret))
		sk = packet_whole_sock(skb);
	return sk ? sk->protocol : 0;
}

/* The programs of both directions: `see(skb, egress)` looks at each packet, which goes its way. */
#define PACKET_PROGRAMS(see)               \
	SEC("cgroup_skb/ingress")          \
	int ingress(struct __sk_buff *skb) \
	{                                  \
		see(skb, false);           \
		return 1;                  \
	}                                  \
                                           \
	SEC("cgroup_skb/egress")           \
	int egress(struct __sk_buff *skb)  \
	{                                  \
		see(skb, true);            \
		return 1;                  \
	}

static __always_inline g_netns packet_netns(struct __sk_buff *skb)
{
	struct sock *sk = packet_sock(skb);

	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* ---- records -------------------------------------------------------------------------------- */

enum { G_PLACES = 8 };

struct g_places {
	struct bpf_spin_lock lock;
	__u32 taken; /* bits */
	__u32 last;
};

/* Which scratches are in use: of all PACKET_TRACERs together. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct g_places);
} g_places SEC(".maps");

/*
 * G_PLACES: all are taken. The number comes out of the map, so that the verifier does not follow
 * the rest of the program for each.
 */
static __always_inline __u32 g_place_take(void)
{
	__u32 zero = 0, i, bit = 1;
	volatile struct g_places *places = bpf_map_lookup_elem(&g_places, &zero);

	if (!places)
		return G_PLACES;
	bpf_spin_lock((struct bpf_spin_lock *)&places->lock);
	_Pragma("unroll") for (i = 0; i < G_PLACES; i++)
	{
		if (!(places->taken & bit))
			break;
		bit <<= 1;
	}
	places->taken |= bit & ((1 << G_PLACES) - 1);
	places->last = i;
	i = places->last;
	bpf_spin_unlock((struct bpf_spin_lock *)&places->lock);
	return i;
}

static __always_inline void g_place_give_back(__u32 place)
{
	__u32 zero = 0;
	struct g_places *places = bpf_map_lookup_elem(&g_places, &zero);

	if (!places)
		return;
	bpf_spin_lock(&places->lock);
	places->taken &= ~(1 << (place & (G_PLACES - 1)));
	bpf_spin_unlock(&places->lock);
}

/* As TRACER() and TRACER_RING(), for programs that see packets. */
#define PACKET_TRACER_RING(NAME, TYPE, TAIL, RING)                    \
	struct {                                                      \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                   \
		__uint(max_entries, RING);                            \
	} NAME##_ring SEC(".maps");                                   \
	G_SCRATCH_IN(NAME, TYPE, TAIL, BPF_MAP_TYPE_ARRAY, G_PLACES); \
	G_PREDICATE(NAME)                                             \
	const struct TYPE *const NAME##_source SEC(".gadget") G_TAG("tracer") = 0

#define PACKET_TRACER(NAME, TYPE, TAIL) PACKET_TRACER_RING(NAME, TYPE, TAIL, 1 << 20)

/* A zeroed record; NULL: no place is free, which is counted as a loss. */
#define packet_record_begin(NAME, c)                                \
	({                                                          \
		__u32 place_ = g_place_take();                      \
		__typeof__(g_record_begin(NAME, c, place_)) e_ = 0; \
                                                                    \
		if (place_ < G_PLACES)                              \
			e_ = g_record_begin(NAME, c, place_);       \
		if (e_)                                             \
			g_scratch_of(NAME, e_)->size = place_;      \
		else                                                \
			record_lost(c);                             \
		e_;                                                 \
	})

#define packet_record_drop(NAME, e) g_place_give_back(g_scratch_of(NAME, e)->size)

#define packet_record_submit(NAME, e)        \
	do {                                 \
		record_submit(NAME, e);      \
		packet_record_drop(NAME, e); \
	} while (0)

/* bpf_skb_load_bytes() wants a length that cannot be 0. */
static __always_inline long g_packet_load(struct __sk_buff *skb, __u32 at, void *to, __u64 bytes,
					  __u64 cap)
{
	__u64 less = bytes - 1;

	barrier_var(less);
	if (less >= cap)
		return 0;
	return bpf_skb_load_bytes(skb, at, to, less + 1) ?: (long)bytes;
}

/* `bytes` bytes of the packet from `at` on, cut to cap, a constant; as text_kernel_bytes(). */
#define text_packet(NAME, e, field, skb, at, bytes, cap)                                \
	({                                                                              \
		__u64 all_ = (bytes);                                                   \
		__u64 part_ = all_ > (cap) ? (cap) : all_;                              \
		__u32 from_ = (at);                                                     \
		long loaded_ = g_text_read(NAME, e, field, cap,                         \
					   g_packet_load(skb, from_, to_, part_, cap)); \
                                                                                        \
		if (loaded_ > 0 && all_ > (cap))                                        \
			(e)->field.length |= G_TRUNCATED;                               \
		loaded_;                                                                \
	})
