// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * How long packets wait in the queueing disciplines of network devices. A packet that its qdisc
 * lets pass without queueing it (an empty one mostly does), and one of a device without a queue, is
 * never seen here.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/histogram.bpf.h>
#include <gadget/skb.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct Qdisc {
	int (*enqueue)(void *skb);
};
struct netdev_queue {
	struct Qdisc *qdisc;
};
#pragma clang attribute pop

GADGET("Profile how long packets wait in queueing disciplines\n"
       "For each packet that was queued before its network device got it, the time in the queue, "
       "as histograms by container and device, with --by-connection also by the packets' ends. "
       "-o histogram draws them.",
       LIMITS("Packets that need not wait are not queued, mostly, and not counted. The container "
	      "is that of the packet's socket: what the host routes for a container has lost it, "
	      "and is the host's (what it bridges has not). Packets that were dropped are not "
	      "counted. The ends are empty of packets that are not IP, and may be of what is "
	      "only bridged here.")
	       SELFTEST("unshare -rn sh -c 'ip link set lo up mtu 1500 && tc qdisc add dev lo root "
			"tbf rate "
			"400kbit burst 2kb limit 1mb && perl -MIO::Socket::INET -e \"\\$s = "
			"IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => 9, Proto => "
			"q(udp)); "
			"\\$s->send(q(x) x 1000) for 1..20; sleep 2\"'",
			"dev==lo"));

PARAM(__s32, ifindex, -1, "Only this network device; -1: any");
PARAM(bool, by_connection, false, "Count for each two ends: addresses, ports, protocol");
PARAM(bool, ms, false, "Histograms in milliseconds, not microseconds");

struct qdisc_key {
	g_container container;
	char dev[16] DOC("Network device") COL(width=15);
	__u32 ifindex DOC("Its number in its network namespace") COL(hidden, width=7);
	struct g_endpoint src DOC("Who sends it, with --by-connection") COL(skip-empty, width=24);
	struct g_endpoint dst DOC("Who is to have it, with --by-connection")
		COL(skip-empty, width=24);
	g_netns netns_id DOC("Network namespace of the device") COL(hidden);
};

struct qdisc_value {
	struct g_histogram latency DOC("Time in the queue");
};
TOP(qdisc, qdisc_key, qdisc_value, 4096);

struct queued {
	g_container container;
	__u64 since;
};

/* LRU: what is dropped in the queue, or never got there, is not taken out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sk_buff * */
	__type(value, struct queued);
} waiting SEC(".maps");

/* The socket that sends it, if that is a whole one. */
static __always_inline const struct sock *sender(const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	__u8 state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : TCP_TIME_WAIT;

	return state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV ? NULL : sk;
}

static __always_inline void begins_to_wait(const struct sk_buff *skb)
{
	const struct sock *sk = sender(skb);
	struct queued q = {.container = G_HOST, .since = bpf_ktime_get_ns()};
	__u64 key = (__u64)skb;

	if (ifindex >= 0 && BPF_CORE_READ(skb, dev, ifindex) != ifindex)
		return;
	if (sk ? wanted_sock(sk, &q.container) : g_host)
		bpf_map_update_elem(&waiting, &key, &q, BPF_ANY);
}

/* args: struct Qdisc, struct netdev_queue, struct sk_buff. Since 5.15. */
SEC("raw_tp/qdisc_enqueue")
RUNG(enqueue, 1) int enqueue(struct bpf_raw_tracepoint_args *ctx)
{
	begins_to_wait((const void *)ctx->args[2]);
	return 0;
}

/* Right before it is queued; it may pass at once all the same. */
SEC("raw_tp/net_dev_queue")
RUNG(enqueue, 2) int before_enqueue(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	__u64 queues = (__u64)BPF_CORE_READ(skb, dev, _tx);
	const struct netdev_queue *queue =
		(void *)(queues + BPF_CORE_READ(skb, queue_mapping) *
					  (__u64)bpf_core_type_size(struct netdev_queue));

	if (BPF_CORE_READ(queue, qdisc, enqueue))
		begins_to_wait(skb);
	return 0;
}

/* Ports are those of protocols that have some. */
static __always_inline void fill_ends(struct qdisc_key *key, const struct sk_buff *skb)
{
	struct g_tcp_header header = {};

	if (skb_ends(skb, &key->src, &key->dst, &header) && key->src.proto != IPPROTO_TCP &&
	    key->src.proto != IPPROTO_UDP)
		key->src.port = key->dst.port = 0;
}

/* A global function, which the verifier looks at once, not for each packet of the loop below. */
__noinline int waited(__u64 address, __u64 now)
{
	const struct sk_buff *skb = (const void *)address;
	struct queued *q = bpf_map_lookup_elem(&waiting, &address);
	struct qdisc_value *v;
	struct qdisc_key key;

	if (!q)
		return 0;
	top_key_clear(key);
	key.container = q->container;
	key.ifindex = BPF_CORE_READ(skb, dev, ifindex);
	key.netns_id = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	BPF_CORE_READ_STR_INTO(&key.dev, skb, dev, name);
	if (by_connection)
		fill_ends(&key, skb);
	v = top_entry(qdisc, &key);
	if (v)
		histogram_add_time(&v->latency, ms, now - q->since);
	bpf_map_delete_elem(&waiting, &address);
	return 0;
}

/* args: struct Qdisc, struct netdev_queue, number of packets, the first of them */
SEC("raw_tp/qdisc_dequeue")
int dequeue(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[3];
	__u64 now = bpf_ktime_get_ns();

	for (int i = 0; i < 64 && skb; i++) {
		waited((__u64)skb, now);
		skb = BPF_CORE_READ(skb, next);
	}
	return 0;
}
