// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * TCP sends again in timers and interrupts, so the container is the socket's, and the process is
 * its owner.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/socket.bpf.h>
#include <gadget/tcp_flags.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
	char cb[48];
};
struct tcp_skb_cb {
	__u32 seq, end_seq;
	__u8 tcp_flags; /* since 6.15 of 16 bits, of which these are the lower ones */
};
struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
};
#pragma clang attribute pop

GADGET("Trace TCP segments that are sent again\n"
       "Each one, with what made the kernel do it: no answer in time, answers that show a gap, or "
       "a probe of whether the last one was lost. Answers to SYNs too. IPv4 and IPv6.",
       ALIAS("tcpretrans") ALIAS("tcpretransmit") LIMITS(
	       "The process is the one that made, connected or last used the socket; of a "
	       "connection that a listener accepted it is the listener's. One record may be of a "
	       "segment that the device sends as several packets.")
	       SELFTEST("unshare -rn sh -c 'ip link set lo up && ip route add 192.0.2.0/24 dev lo "
			"&& "
			"timeout 2 bash -c \"true >/dev/tcp/192.0.2.2/9\"'; true",
			"dst.port==9,state==SYN_SENT,tcpflags==SYN"));

PARAM(__u16, sport, 0, "Only connections with this local port; 0: any");
PARAM(__u16, dport, 0, "Only connections to this remote port; 0: any");

enum retransmit_type { RETRANS, LOSS };

/* timeout: no answer in time; fast: answers show a gap; probe: of whether the last one was lost */
enum retransmit_reason { timeout, fast, probe };

struct tcpretrans_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_tcp_state state DOC("State of the socket");
	enum tcp_flag_set tcpflags DOC("Flags of the segment") COL(width=12);
	enum retransmit_type
		type DOC("RETRANS: sent again; LOSS: as a probe of whether it was lost")
			COL(width=7);
	enum retransmit_reason reason DOC("timeout, fast (answers show a gap) or probe")
		COL(width=8);
	g_bytes bytes DOC("Bytes of data in the segment") COL(width=8);
	__u32 seq DOC("Its sequence number") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(tcpretrans, tcpretrans_event, 0);

enum { ICSK_TIME_LOSS_PROBE = 5 };
enum { TCP_CA_OPEN, TCP_CA_DISORDER, TCP_CA_CWR, TCP_CA_RECOVERY, TCP_CA_LOSS };

/* The kernel forgets that a probe is pending after it has sent it, which is here. */
static __always_inline enum retransmit_reason reason_of(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	__u8 state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);

	if (state == TCP_CA_RECOVERY)
		return fast;
	if (state != TCP_CA_LOSS && BPF_CORE_READ(icsk, icsk_pending) == ICSK_TIME_LOSS_PROBE)
		return probe;
	return timeout;
}

/* `ends`: what has its addresses, the socket itself or a request to it. False: not wanted. */
static __always_inline bool begin(struct tcpretrans_event *e, const struct sock *sk,
				  const struct sock *ends)
{
	struct g_sock_copy copy;

	if (!wanted_sock(sk, &e->container))
		return false;
	sock_copy(&copy, ends);
	sock_endpoints(sk, &copy, IPPROTO_TCP, &e->src, &e->dst);
	if ((sport && e->src.port != sport) || (dport && e->dst.port != dport))
		return false;
	if (!owner_wanted(owner_of_sock(sk, &e->proc) ? &e->proc : NULL))
		return false;
	e->timestamp = bpf_ktime_get_boot_ns();
	e->netns_id = sock_netns(&copy);
	e->state = SOCK_FIELD(&copy, skc_state);
	return true;
}

/* args: struct sock, struct sk_buff */
SEC("raw_tp/tcp_retransmit_skb")
int retransmit(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	const struct sk_buff *skb = (const void *)ctx->args[1];
	const struct tcp_skb_cb *cb =
		(const void *)((const char *)skb + bpf_core_field_offset(struct sk_buff, cb));
	struct tcpretrans_event e = {};
	__u32 space;

	if (!begin(&e, sk, sk))
		return 0;
	bpf_core_read(&e.tcpflags, 1, &cb->tcp_flags);
	e.reason = reason_of(sk);
	e.type = e.reason == probe ? LOSS : RETRANS;
	e.seq = BPF_CORE_READ(cb, seq);
	space = BPF_CORE_READ(cb, end_seq) - e.seq; /* SYN and FIN take one each */
	e.bytes = space - !!(e.tcpflags & SYN) - !!(e.tcpflags & FIN);
	record_output(tcpretrans, &e, sizeof(e));
	return 0;
}

/* args: struct sock that listens, struct request_sock */
SEC("raw_tp/tcp_retransmit_synack")
int retransmit_synack(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	struct tcpretrans_event e = {.tcpflags = SYN | ACK, .reason = timeout};

	if (!begin(&e, sk, (const void *)ctx->args[1]))
		return 0;
	record_output(tcpretrans, &e, sizeof(e));
	return 0;
}
