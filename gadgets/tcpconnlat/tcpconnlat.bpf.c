// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * A connect begins in its process; the answer comes in softirq context, where `current` is whoever
 * was interrupted. So its record waits in a map by its socket.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace how long the other end takes to answer a TCP connect\n"
       "The time from the first SYN to the answer: that it is accepted or refused, or that there "
       "was none. IPv4 and IPv6.",
       ALIAS("trace_tcpconnlat")
	       LIMITS("A connect that its process gave up has no answer, and is not shown.")
		       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
				"dst.port==9,error==ECONNREFUSED"));

PARAM(__u32, min_us, 0, "Only what took at least so many microseconds");

struct tcpconnlat_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_duration latency DOC("From the connect to its answer");
	g_errno error DOC("Why it failed") COL(width=12);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(tcpconnlat, tcpconnlat_event, 0);

/* Not LRU: it would drop the oldest without a word. An entry goes when the socket's state does. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);			/* struct sock * */
	__type(value, struct tcpconnlat_event); /* its timestamp is that of the connect */
} connecting SEC(".maps");

static __noinline int begins(const struct sock *sk)
{
	struct tcpconnlat_event e = {.timestamp = bpf_ktime_get_boot_ns()};
	__u64 key = (__u64)sk;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !wanted(&e.container))
		return 0;
	process_fill(&e.proc);
	if (bpf_map_update_elem(&connecting, &key, &e, BPF_ANY))
		record_lost(e.container);
	return 0;
}

static __noinline int answered(const struct sock *sk, bool accepted)
{
	__u64 key = (__u64)sk;
	struct tcpconnlat_event *e = bpf_map_lookup_elem(&connecting, &key);
	struct g_sock_copy copy;
	__u64 now;

	if (!e)
		return 0;
	now = bpf_ktime_get_boot_ns();
	e->latency = now - e->timestamp;
	e->timestamp = now;
	e->error = accepted ? 0 : BPF_CORE_READ(sk, sk_err);
	if ((accepted || e->error) && e->latency >= min_us * 1000ull) {
		sock_copy(&copy, sk);
		sock_endpoints(sk, &copy, IPPROTO_TCP, &e->src, &e->dst);
		e->netns_id = sock_netns(&copy);
		record_output(tcpconnlat, e, sizeof(*e));
	}
	bpf_map_delete_elem(&connecting, &key);
	return 0;
}

/* args: struct sock, old state, new state */
SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];

	if (ctx->args[2] == TCP_SYN_SENT)
		begins(sk);
	else if (ctx->args[1] == TCP_SYN_SENT)
		answered(sk, ctx->args[2] != TCP_CLOSE);
	return 0;
}
