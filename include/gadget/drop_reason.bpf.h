/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Why the kernel drops packets. Its own numbers for that change with every release, so a record has
 * ours: they are translated by name when a gadget is loaded.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* Of Linux 6.18, include/net/dropreason-core.h. */
#define G_DROP_REASONS(X)                                                                                                                                                                                                                                                                                                                                                                                                                                    \
	X(NOT_SPECIFIED)                                                                                                                                                                                                                                                                                                                                                                                                                                     \
	X(NO_SOCKET) X(SOCKET_CLOSE) X(                                                                                                                                                                                                                                                                                                                                                                                                                      \
		SOCKET_FILTER) X(SOCKET_RCVBUFF) X(UNIX_DISCONNECT) X(UNIX_SKIP_OOB) X(PKT_TOO_SMALL) X(TCP_CSUM) X(UDP_CSUM) X(NETFILTER_DROP) X(OTHERHOST) X(IP_CSUM) X(IP_INHDR) X(IP_RPFILTER) X(UNICAST_IN_L2_MULTICAST) X(XFRM_POLICY) X(IP_NOPROTO) X(PROTO_MEM) X(TCP_AUTH_HDR) X(TCP_MD5NOTFOUND) X(TCP_MD5UNEXPECTED) X(TCP_MD5FAILURE) X(TCP_AONOTFOUND) X(TCP_AOUNEXPECTED) X(TCP_AOKEYNOTFOUND) X(TCP_AOFAILURE) X(SOCKET_BACKLOG) X(TCP_FLAGS) \
		X(TCP_ABORT_ON_DATA) X(TCP_ZEROWINDOW) X(TCP_OLD_DATA) X(TCP_OVERWINDOW) X(TCP_OFOMERGE) X(TCP_RFC7323_PAWS) X(TCP_RFC7323_PAWS_ACK) X(TCP_RFC7323_TW_PAWS) X(TCP_RFC7323_TSECR) X(TCP_LISTEN_OVERFLOW) X(TCP_OLD_SEQUENCE) X(TCP_INVALID_SEQUENCE) X(TCP_INVALID_END_SEQUENCE) X(TCP_INVALID_ACK_SEQUENCE) X(TCP_RESET) X(TCP_INVALID_SYN) X(TCP_CLOSE) X(TCP_FASTOPEN) X(TCP_OLD_ACK) X(TCP_TOO_OLD_ACK) X(TCP_ACK_UNSENT_DATA) X(         \
			TCP_OFO_QUEUE_PRUNE) X(TCP_OFO_DROP) X(IP_OUTNOROUTES) X(BPF_CGROUP_EGRESS) X(IPV6DISABLED) X(NEIGH_CREATEFAIL) X(NEIGH_FAILED)                                                                                                                                                                                                                                                                                                      \
			X(NEIGH_QUEUEFULL) X(NEIGH_DEAD) X(NEIGH_HH_FILLFAIL) X(TC_EGRESS) X(SECURITY_HOOK) X(QDISC_DROP) X(QDISC_OVERLIMIT) X(                                                                                                                                                                                                                                                                                                              \
				QDISC_CONGESTED) X(CAKE_FLOOD) X(FQ_BAND_LIMIT) X(FQ_HORIZON_LIMIT) X(FQ_FLOW_LIMIT) X(CPU_BACKLOG) X(XDP)                                                                                                                                                                                                                                                                                                                   \
				X(TC_INGRESS) X(UNHANDLED_PROTO) X(SKB_CSUM) X(SKB_GSO_SEG) X(SKB_UCOPY_FAULT) X(DEV_HDR) X(DEV_READY) X(                                                                                                                                                                                                                                                                                                                    \
					FULL_RING) X(NOMEM) X(HDR_TRUNC) X(TAP_FILTER) X(TAP_TXFILTER) X(ICMP_CSUM) X(INVALID_PROTO)                                                                                                                                                                                                                                                                                                                         \
					X(IP_INADDRERRORS) X(IP_INNOROUTES) X(IP_LOCAL_SOURCE) X(IP_INVALID_SOURCE) X(                                                                                                                                                                                                                                                                                                                                       \
						IP_LOCALNET) X(IP_INVALID_DEST) X(PKT_TOO_BIG) X(DUP_FRAG) X(FRAG_REASM_TIMEOUT) X(FRAG_TOO_FAR)                                                                                                                                                                                                                                                                                                             \
						X(TCP_MINTTL) X(IPV6_BAD_EXTHDR) X(IPV6_NDISC_FRAG) X(IPV6_NDISC_HOP_LIMIT) X(                                                                                                                                                                                                                                                                                                                               \
							IPV6_NDISC_BAD_CODE) X(IPV6_NDISC_BAD_OPTIONS) X(IPV6_NDISC_NS_OTHERHOST)                                                                                                                                                                                                                                                                                                                            \
							X(QUEUE_PURGE) X(TC_COOKIE_ERROR) X(PACKET_SOCK_ERROR) X(                                                                                                                                                                                                                                                                                                                                            \
								TC_CHAIN_NOTFOUND) X(TC_RECLASSIFY_LOOP) X(VXLAN_INVALID_HDR)                                                                                                                                                                                                                                                                                                                                \
								X(VXLAN_VNI_NOT_FOUND) X(MAC_INVALID_SOURCE) X(                                                                                                                                                                                                                                                                                                                                              \
									VXLAN_ENTRY_EXISTS) X(NO_TX_TARGET) X(IP_TUNNEL_ECN)                                                                                                                                                                                                                                                                                                                                 \
									X(TUNNEL_TXINFO) X(LOCAL_MAC) X(                                                                                                                                                                                                                                                                                                                                                     \
										ARP_PVLAN_DISABLE) X(MAC_IEEE_MAC_CONTROL)                                                                                                                                                                                                                                                                                                                                   \
										X(BRIDGE_INGRESS_STP_STATE) X(                                                                                                                                                                                                                                                                                                                                               \
											CAN_RX_INVALID_FRAME) X(CANFD_RX_INVALID_FRAME)                                                                                                                                                                                                                                                                                                                      \
											X(CANXL_RX_INVALID_FRAME) X(                                                                                                                                                                                                                                                                                                                                         \
												PFMEMALLOC) X(DUALPI2_STEP_DROP)                                                                                                                                                                                                                                                                                                                             \
												X(PSP_INPUT) X(                                                                                                                                                                                                                                                                                                                                              \
													PSP_OUTPUT)                                                                                                                                                                                                                                                                                                                                          \
													X(RECURSION_LIMIT)

enum skb_drop_reason {
	SKB_NOT_DROPPED_YET,
	SKB_CONSUMED,
#define G_DROP_REASON(name) SKB_DROP_REASON_##name,
	G_DROP_REASONS(G_DROP_REASON)
#undef G_DROP_REASON
};

/* args of raw_tp/kfree_skb: struct sk_buff, where, and these */
struct trace_event_raw_kfree_skb {
	enum skb_drop_reason reason; /* since 5.17 */
	void *rx_sk;		     /* since 6.11: struct sock that was to receive it */
} __attribute__((preserve_access_index));

static __always_inline bool drops_have_reasons(void)
{
	return bpf_core_field_exists(((struct trace_event_raw_kfree_skb *)0)->reason);
}

/* What the kernel has and we have no name for: its number and this. */
#define G_DROP_REASON_OTHER 1000

/* 0: it is none, but how packets end that are not dropped. */
static __noinline __u32 drop_reason_of(__u32 number)
{
#define G_DROP_REASON(name)                                                              \
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_##name) &&  \
	    number == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_##name)) \
		return SKB_DROP_REASON_##name;
	G_DROP_REASONS(G_DROP_REASON)
#undef G_DROP_REASON
	if (number == SKB_NOT_DROPPED_YET ||
	    (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
	     number == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED)))
		return 0;
	return G_DROP_REASON_OTHER + number;
}
