// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * The kernel drops packets in system calls and in interrupts, so the container is that of the
 * socket, or of the network namespace where there is none.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/drop_reason.bpf.h>
#include <gadget/netns_container.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/skb.bpf.h>
#include <gadget/tcp_flags.h>

GADGET("Trace TCP packets that the kernel drops, and why\n"
       "Each one with its ends, flags, the kernel's reason and the function that dropped it; "
       "received or sent. IPv4 and IPv6.",
       ALIAS("tcpdrop") LIMITS(
	       "Before Linux 6.11 the kernel does not tell which socket a received packet was for: "
	       "the container is then that of the network namespace (one of them, where containers "
	       "share it), and process and state are not known; so it is with packets that no "
	       "socket was found for. Before 5.17 it has no reasons: all are NOT_SPECIFIED. What "
	       "devices drop is not seen. What is left in a socket's queue when it is closed "
	       "counts "
	       "as dropped (QUEUE_PURGE), mostly the other end's FIN.")
	       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
			"dst.port==9"));

PARAM(bool, kstack, false, "Take the kernel's stack as well");

struct tcpdrop_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("Where the packet comes from") COL(width=24);
	struct g_endpoint dst DOC("Where it was to go") COL(width=24);
	g_tcp_state state DOC("State of its socket");
	enum tcp_flag_set tcpflags DOC("Flags of the segment") COL(width=12);
	enum skb_drop_reason reason DOC("Why, in the kernel's words") COL(width=32, ellipsis=start);
	g_kstack location DOC("The function that dropped it") COL(width=28);
	g_kstack kernel_stack DOC("With --kstack: how the kernel came there") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

/* A record and what stands behind it. */
struct drop {
	struct tcpdrop_event e;
	__u64 location;
};
struct drop_with_stack {
	struct drop drop;
	__u64 stack[G_STACK_FRAMES];
	__u64 busy; /* another one came in between */
};
TRACER(tcpdrop, tcpdrop_event, sizeof(struct drop_with_stack) - sizeof(struct tcpdrop_event));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct drop_with_stack);
} stacks SEC(".maps");

/* The packet's ends and flags; false: it is not TCP. */
static __always_inline bool fill_packet(struct tcpdrop_event *e, const struct sk_buff *skb)
{
	struct g_tcp_header tcp = {};

	if (!skb_ends(skb, &e->src, &e->dst, &tcp) || e->src.proto != IPPROTO_TCP)
		return false;
	e->tcpflags = tcp.flags;
	return true;
}

/* The socket that it is for, or from; NULL: none that is whole, or not known. */
static __always_inline const struct sock *socket_of(struct bpf_raw_tracepoint_args *ctx,
						    const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	__u8 state;

	if (bpf_core_field_exists(((struct trace_event_raw_kfree_skb *)0)->rx_sk) && ctx->args[3])
		sk = (const void *)ctx->args[3];
	if (!sk)
		return NULL;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	return state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV ? NULL : sk;
}

static __always_inline bool whose(struct tcpdrop_event *e, const struct sock *sk,
				  const struct sk_buff *skb)
{
	bool known = false;

	if (sk) {
		e->netns_id = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
		if (!wanted_sock(sk, &e->container))
			return false;
		known = owner_of_sock(sk, &e->proc);
	} else {
		e->netns_id = skb_netns(skb);
		if (!wanted_netns_of(e->netns_id, &e->container))
			return false;
	}
	return owner_wanted(known ? &e->proc : NULL);
}

/* False: this CPU's place for it is taken. */
static __always_inline bool put_out_with_stack(void *ctx, const struct drop *drop)
{
	__u32 zero = 0;
	struct drop_with_stack *out = bpf_map_lookup_elem(&stacks, &zero);
	long bytes;

	if (!out || out->busy)
		return false;
	*(volatile __u64 *)&out->busy = 1;
	out->drop = *drop;
	bytes = bpf_get_stack(ctx, out->stack, sizeof(out->stack), 0);
	if (bytes < 0)
		bytes = 0;
	bytes &= 2 * sizeof(out->stack) - 1;
	if (bytes > sizeof(out->stack))
		bytes = sizeof(out->stack);
	out->drop.e.kernel_stack.offset = sizeof(*drop);
	out->drop.e.kernel_stack.length = bytes;
	record_output(tcpdrop, &out->drop.e, sizeof(*drop) + bytes);
	*(volatile __u64 *)&out->busy = 0;
	return true;
}

SEC("raw_tp/kfree_skb")
int dropped(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	struct drop drop = {.location = ctx->args[1]};
	struct tcpdrop_event *e = &drop.e;

	if (!whose(e, socket_of(ctx, skb), skb) || !fill_packet(e, skb))
		return 0;
	e->reason = SKB_DROP_REASON_NOT_SPECIFIED;
	if (drops_have_reasons())
		e->reason = drop_reason_of(ctx->args[2]);
	if (!e->reason)
		return 0;
	e->timestamp = bpf_ktime_get_boot_ns();
	e->location.offset = sizeof(*e);
	e->location.length = sizeof(drop.location);
	if (!kstack || !put_out_with_stack(ctx, &drop))
		record_output(tcpdrop, e, sizeof(drop));
	return 0;
}
