/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A packet as tracepoints give it: struct sk_buff, a plain kernel address, of which only what was
 * set on its way so far is right.
 */
#pragma once

#include <gadget/packet.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
	struct netdev_queue *_tx;
};
struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	__u16 queue_mapping;
	__u8 pkt_type : 3;
	__be16 protocol;
	__u16 transport_header, network_header;
	unsigned char *head;
};
#pragma clang attribute pop

enum { SKB_TO_HOST = 0 }; /* pkt_type: it was received, and is for this machine */
enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd };

static __always_inline g_netns skb_netns(const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
}

/*
 * Its ends, and what stands where TCP's header is (UDP's ports lie at the same place); false: not
 * IP, or not looked at so far. IPv6's extension headers are taken for the protocol.
 */
static __noinline bool skb_ends(const struct sk_buff *skb, struct g_endpoint *src,
				struct g_endpoint *dst, struct g_tcp_header *tcp)
{
	__u16 network = BPF_CORE_READ(skb, network_header);
	__u16 transport = BPF_CORE_READ(skb, transport_header);
	__u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	const unsigned char *head = BPF_CORE_READ(skb, head);
	union {
		struct g_ipv4_header v4;
		struct g_ipv6_header v6;
	} ip = {};

	if (transport <= network || transport == 0xffff)
		return false;
	bpf_probe_read_kernel(&ip, sizeof(ip), head + network);
	if (protocol == ETH_P_IP) {
		g_endpoint_ipv4(src, ip.v4.src);
		g_endpoint_ipv4(dst, ip.v4.dst);
		src->proto = dst->proto = ip.v4.protocol;
	} else if (protocol == ETH_P_IPV6) {
		g_endpoint_ipv6(src, &ip.v6.src);
		g_endpoint_ipv6(dst, &ip.v6.dst);
		src->proto = dst->proto = ip.v6.next;
	} else {
		return false;
	}
	bpf_probe_read_kernel(tcp, sizeof(*tcp), head + transport);
	src->port = bpf_ntohs(tcp->src);
	dst->port = bpf_ntohs(tcp->dst);
	return true;
}
