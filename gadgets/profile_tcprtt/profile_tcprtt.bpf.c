// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Round-trip times, as TCP itself estimates them: looked at whenever a connection receives
 * something, in softirq context, so the container is that of the socket.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/histogram.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Profile round-trip times of TCP connections\n"
       "For each segment that an open connection received, its smoothed round-trip time (srtt) at "
       "that moment, as histograms by container, with --by-connection also by connection. "
       "-o histogram draws them. IPv4 and IPv6.",
       ALIAS("tcprtt") LIMITS(
	       "Segments are counted, not connections, so busy connections weigh more. What the "
	       "kernel sends and receives without a process's socket, such as the first segments "
	       "of "
	       "a connection that nobody has accepted yet, has no container.")
	       SELFTEST("perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(Listen => 1); "
			"$c = IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => "
			"$l->sockport); "
			"$a = $l->accept; for (1..9) { $c->syswrite(q(x)); $a->sysread($b, 1); "
			"$a->syswrite(q(y)); $c->sysread($b, 1) } sleep 1'",
			"netns_id>0"));

PARAM(__u16, sport, 0, "Only connections with this local port; 0: any");
PARAM(__u16, dport, 0, "Only connections to this remote port; 0: any");
PARAM(bool, by_connection, false, "Count for each connection");
PARAM(bool, ms, false, "Histograms in milliseconds, not microseconds");

struct rtt_key {
	g_container container;
	struct g_endpoint src DOC("This end, with --by-connection") COL(skip-empty, width=24);
	struct g_endpoint dst DOC("The other end, with --by-connection") COL(skip-empty, width=24);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

struct rtt_value {
	struct g_histogram latency DOC("Smoothed round-trip time");
};
TOP(rtt, rtt_key, rtt_value, 4096);

/* args: struct sock, struct sk_buff */
SEC("raw_tp/tcp_probe")
int receive(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	const struct tcp_sock *tcp = (const void *)sk;
	struct g_endpoint src, dst;
	struct g_sock_copy copy;
	struct rtt_value *v;
	struct rtt_key key;

	top_key_clear(key);
	if (!wanted_sock(sk, &key.container))
		return 0;
	sock_copy(&copy, sk);
	sock_endpoints(sk, &copy, IPPROTO_TCP, &src, &dst);
	if ((sport && src.port != sport) || (dport && dst.port != dport))
		return 0;
	if (by_connection) {
		key.src = src;
		key.dst = dst;
	}
	key.netns_id = sock_netns(&copy);
	v = top_entry(rtt, &key);
	if (v) /* in eighths of a microsecond */
		histogram_add_time(&v->latency, ms, (BPF_CORE_READ(tcp, srtt_us) >> 3) * 1000ull);
	return 0;
}
