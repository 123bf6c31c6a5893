// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Bytes of TCP connections, by process. Counted where calls on sockets end, so the process is
 * right, and io_uring's are there.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Show which TCP connections move how many bytes\n"
       "For each interval, the bytes that processes sent and received over each connection. IPv4 "
       "and IPv6.",
       ALIAS("tcptop") LIMITS(
	       "Bytes are those that calls hand over: headers and what is sent again "
	       "are not in it.")
	       SELFTEST("perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(Listen => 1); "
			"$c = IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => "
			"$l->sockport); "
			"print $c q(x) x 1000; $c->flush; sleep 1'",
			"sent>=1000"));

PARAM(__s32, family, -1, "Only this version of IP: 4 or 6; -1: both");

struct tcp_key {
	g_container container;
	g_comm comm DOC("Name of the process");
	g_pid pid DOC("Process id");
	g_pid tid DOC("Thread id") COL(hidden);
	g_mntns mntns_id DOC("Mount namespace") COL(hidden);
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

struct tcp_value {
	g_bytes sent DOC("Bytes sent in the interval") COL(right);
	g_bytes received DOC("Bytes received in the interval") COL(right);
};
TOP(tcp, tcp_key, tcp_value, 10240, SORT("-sent,-received"));

static __always_inline struct tcp_value *entry(const struct sock *sk)
{
	struct g_sock_copy copy;
	struct tcp_key key = {};
	struct g_process p;
	g_container c;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !wanted(&c))
		return NULL;
	sock_copy(&copy, sk);
	if (!sock_is_ip(&copy))
		return NULL;
	sock_endpoints(sk, &copy, IPPROTO_TCP, &key.src, &key.dst);
	if (family > 0 && key.src.version != family)
		return NULL;
	process_fill(&p);
	key.container = c;
	g_comm_copy(key.comm, p.comm);
	key.pid = p.pid;
	key.tid = p.tid;
	key.mntns_id = p.mntns_id;
	key.netns_id = sock_netns(&copy);
	return top_entry(tcp, &key);
}

static __always_inline void count_sent(const struct sock *sk, __s64 bytes)
{
	struct tcp_value *v = bytes > 0 ? entry(sk) : NULL;

	if (v)
		__sync_fetch_and_add(&v->sent, bytes);
}

static __always_inline void count_received(const struct sock *sk, __s64 bytes)
{
	struct tcp_value *v = bytes > 0 ? entry(sk) : NULL;

	if (v)
		__sync_fetch_and_add(&v->received, bytes);
}

/* args: struct sock, result, flags. Since 6.3. */
SEC("raw_tp/sock_send_length")
RUNG(transfer, 1) int sent(struct bpf_raw_tracepoint_args *ctx)
{
	count_sent((const struct sock *)ctx->args[0], (__s32)ctx->args[1]);
	return 0;
}

SEC("raw_tp/sock_recv_length")
RUNG(transfer, 1)
CANNOT_TELL("what splice() takes from a connection")
int received(struct bpf_raw_tracepoint_args *ctx)
{
	if (!((__u32)ctx->args[2] & MSG_PEEK))
		count_received((const struct sock *)ctx->args[0], (__s32)ctx->args[1]);
	return 0;
}

/* Older kernels have nothing but their functions: what a call is to send, and what a call took. */
SEC("kprobe/tcp_sendmsg")
RUNG(transfer, 2)
CANNOT_TELL("that a call sent less than it was to send") int BPF_KPROBE(sending,
									const struct sock *sk,
									const void *message,
									__u64 bytes)
{
	count_sent(sk, bytes);
	return 0;
}

SEC("kprobe/tcp_cleanup_rbuf")
RUNG(transfer, 2) int BPF_KPROBE(taken, const struct sock *sk, int bytes)
{
	count_received(sk, bytes);
	return 0;
}
