// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * A connection ends in a system call, a timer or an interrupt, so the container is the socket's,
 * and the process is its owner.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace TCP connections when they end: how long they were open, and their bytes\n"
       "One line for each end of a connection that was made, when it is closed. IPv4 and IPv6.",
       ALIAS("trace_tcplife") LIMITS(
	       "The process is the one that made, connected or last used the socket; of a "
	       "connection that a listener accepted it is the listener's.")
	       SELFTEST("perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(Listen => 1); "
			"$c = IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => "
			"$l->sockport); "
			"print $c q(x) x 1000; $c->close; sleep 1'",
			"sent==1000"));

PARAM(__u16, sport, 0, "Only connections with this local port; 0: any");
PARAM(__u16, dport, 0, "Only connections to this remote port; 0: any");

struct tcplife_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_bytes sent DOC("Bytes sent, without what was sent again");
	g_bytes received DOC("Bytes received");
	g_duration duration DOC("Time it was open; nothing: it is older than this tracer")
		COL(skip-empty);
	g_errno error DOC("Why it broke") COL(width=12);
	g_duration rtt DOC("Smoothed round-trip time at the end") COL(hidden);
	__u32 retransmits DOC("Segments that were sent again") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(tcplife, tcplife_event, 0);

/* Where it has no room for a connection, that loses its time, not its record. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64); /* struct sock * */
	__type(value, __u64);
} open_since SEC(".maps");

static __always_inline void fill_counts(struct tcplife_event *e, const struct sock *sk)
{
	const struct tcp_sock *tcp = (const void *)sk;

	e->sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	e->received = BPF_CORE_READ(tcp, bytes_received);
	if (e->received && BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1)
		e->received--; /* the kernel counts the other end's FIN */
	e->rtt = (BPF_CORE_READ(tcp, srtt_us) >> 3) * 1000ull;
	e->retransmits = BPF_CORE_READ(tcp, total_retrans);
	e->error = BPF_CORE_READ(sk, sk_err);
}

static __noinline int ended(const struct sock *sk, __u64 *began)
{
	struct tcplife_event e = {.timestamp = bpf_ktime_get_boot_ns()};
	struct g_sock_copy copy;

	if (!wanted_sock(sk, &e.container))
		return 0;
	sock_copy(&copy, sk);
	sock_endpoints(sk, &copy, IPPROTO_TCP, &e.src, &e.dst);
	if ((sport && e.src.port != sport) || (dport && e.dst.port != dport))
		return 0;
	if (!owner_wanted(owner_of_sock(sk, &e.proc) ? &e.proc : NULL))
		return 0;
	e.duration = began ? e.timestamp - *began : 0;
	e.netns_id = sock_netns(&copy);
	fill_counts(&e, sk);
	record_output(tcplife, &e, sizeof(e));
	return 0;
}

/* args: struct sock, old state, new state */
SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	__u64 key = (__u64)sk, old = ctx->args[1], new = ctx->args[2], now;
	g_container c;

	if ((new != TCP_ESTABLISHED &&new != TCP_CLOSE) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (new == TCP_ESTABLISHED) {
		now = bpf_ktime_get_boot_ns();
		if (wanted_sock(sk, &c))
			bpf_map_update_elem(&open_since, &key, &now, BPF_ANY);
		return 0;
	}
	if (old != TCP_SYN_SENT && old != TCP_SYN_RECV && old != TCP_LISTEN && old != TCP_CLOSE)
		ended(sk, bpf_map_lookup_elem(&open_since, &key));
	bpf_map_delete_elem(&open_since, &key);
	return 0;
}
