// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * TCP sockets change their state in system calls, timers and interrupts, so the container is the
 * socket's, and the process is its owner.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace the states of TCP sockets\n"
       "Each change of state, with the time that the socket was in the one before. IPv4 and IPv6.",
       ALIAS("trace_tcpstates")
	       LIMITS("The process is the one that made, connected or last used the socket; of a "
		      "connection that a listener accepted it is the listener's. What follows "
		      "FIN_WAIT2 is "
		      "CLOSE: the kernel keeps TIME_WAIT in something smaller, which is no socket. "
		      "At SYN_SENT the kernel has not chosen a local port yet: it is 0 there, and "
		      "--sport does not find it.")
		       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
				"dst.port==9,oldstate==SYN_SENT,newstate==CLOSE"));

PARAM(__u16, sport, 0, "Only sockets with this local port; 0: any");
PARAM(__u16, dport, 0, "Only sockets with this remote port; 0: any");

struct tcpstate_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_tcp_state oldstate DOC("State that it left") COL(fixed);
	g_tcp_state newstate DOC("State that it is in now") COL(fixed);
	g_duration duration DOC("Time in the old state; nothing: it began before this tracer")
		COL(skip-empty);
	g_hex skaddr DOC("The socket's address in the kernel") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(tcpstates, tcpstate_event, 0);

/* Where it has no room for a socket, that loses its times, not its records. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64); /* struct sock * */
	__type(value, __u64);
} since SEC(".maps");

static __always_inline __u64 time_in_state(__u64 sk, __u64 now)
{
	__u64 *began = bpf_map_lookup_elem(&since, &sk);
	__u64 spent = began ? now - *began : 0;

	bpf_map_update_elem(&since, &sk, &now, BPF_ANY);
	return spent;
}

static __always_inline void tell(const struct sock *sk, struct tcpstate_event *e)
{
	struct g_sock_copy copy;

	if (!wanted_sock(sk, &e->container))
		return;
	sock_copy(&copy, sk);
	sock_endpoints(sk, &copy, IPPROTO_TCP, &e->src, &e->dst);
	if ((sport && e->src.port != sport) || (dport && e->dst.port != dport))
		return;
	if (!owner_wanted(owner_of_sock(sk, &e->proc) ? &e->proc : NULL))
		return;
	e->duration = time_in_state((__u64)sk, e->timestamp);
	e->netns_id = sock_netns(&copy);
	record_output(tcpstates, e, sizeof(*e));
}

/* args: struct sock, old state, new state */
SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	__u64 key = (__u64)sk;
	struct tcpstate_event e = {
		.timestamp = bpf_ktime_get_boot_ns(),
		.oldstate = ctx->args[1],
		.newstate = ctx->args[2],
		.skaddr = key,
	};

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	tell(sk, &e);
	if (e.newstate == TCP_CLOSE) /* told or not: the address is the next socket's */
		bpf_map_delete_elem(&since, &key);
	return 0;
}
