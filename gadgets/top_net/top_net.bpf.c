// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Packets as network devices send and receive them, of all protocols, whether they have a socket or
 * not. The container is that of the device's network namespace. Counted at the same places and in
 * the same way as devices without hardware count for `ip -s link`: with the link header (lo
 * without), and several segments that the kernel handles as one as one.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/netns_container.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device {
	char name[16];
	unsigned int flags;
	int ifindex;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	__u16 mac_header;
	unsigned char *head, *data;
};
#pragma clang attribute pop

GADGET("Show how many bytes and packets go through containers' network interfaces\n"
       "For each interval, by container and interface, of all protocols. Bytes and packets are "
       "those that `ip -s link` counts inside the container's network namespace.",
       ALIAS("nettop") LIMITS(
	       "Where containers share a network namespace, as those of a pod do, its interfaces "
	       "are shown with one of them; containers in the host's have none of their own. What "
	       "macvlan, ipvlan and bpf_redirect_peer (Cilium) hand to an interface from outside "
	       "passes no place where it could be seen, and is missing in `received`. Devices "
	       "that cut packets or put them together in hardware count other packets, and their "
	       "headers. AF_XDP is not seen, nor what is dropped on its way to the driver.")
	       SELFTEST("unshare -rn sh -c 'ip link set lo up && perl -MIO::Socket::INET -e \"\\$s "
			"= IO::Socket::INET->new(Proto => q(udp), PeerAddr => q(127.0.0.1), "
			"PeerPort => 9); \\$s->send(q(x) x 1000); sleep 2\"'",
			"dev==lo,sent>=1028,received>=1028"));

PARAM(__s32, ifindex, -1, "Only this interface, by its number in its namespace; -1: any");

struct net_key {
	g_container container;
	char dev[16] DOC("Network interface") COL(width=15);
	__u32 ifindex DOC("Its number in its network namespace") COL(hidden, width=7);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

struct net_value {
	g_bytes sent DOC("Bytes sent in the interval");
	g_bytes received DOC("Bytes received in the interval");
	__u64 sentPackets DOC("Packets sent in the interval") COL(width=11);
	__u64 receivedPackets DOC("Packets received in the interval") COL(width=15);
	__u64 sendDrops DOC("Packets that the interface's driver did not take") COL(width=9);
	g_bytes sentRate PER_SECOND(sent) DOC("Bytes sent in a second");
	g_bytes receivedRate PER_SECOND(received) DOC("Bytes received in a second") COL(width=12);
	__u64 sentPacketRate PER_SECOND(sentPackets) DOC("Packets sent in a second") COL(hidden);
	__u64 receivedPacketRate PER_SECOND(receivedPackets) DOC("Packets received in a second")
		COL(hidden);
};
TOP(net, net_key, net_value, 10240, SORT("-sent,-received"));

static __always_inline struct net_value *entry(const struct net_device *dev)
{
	struct net_key key = {};

	if (!any_process_will_do()) /* a packet has none */
		return NULL;
	key.netns_id = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	if (!wanted_netns_of(key.netns_id, &key.container))
		return NULL;
	key.ifindex = BPF_CORE_READ(dev, ifindex);
	if (ifindex >= 0 && key.ifindex != ifindex)
		return NULL;
	bpf_core_read_str(key.dev, sizeof(key.dev), &dev->name);
	return top_entry(net, &key);
}

enum { IFF_LOOPBACK = 8, ETHERNET_HEADER = 14 };

static __always_inline bool is_loopback(const struct net_device *dev)
{
	return BPF_CORE_READ(dev, flags) & IFF_LOOPBACK;
}

enum { NETDEV_TX_OK = 0, NET_XMIT_CN = 2, NETDEV_TX_BUSY = 16 };

/* args: struct sk_buff (which may be gone), what the driver said, struct net_device, bytes */
SEC("raw_tp/net_dev_xmit")
int sent(struct bpf_raw_tracepoint_args *ctx)
{
	const struct net_device *dev = (const void *)ctx->args[2];
	int said = ctx->args[1];
	struct net_value *v;

	if (said == NETDEV_TX_BUSY) /* it will be asked again */
		return 0;
	v = entry(dev);
	if (!v)
		return 0;
	if (said != NETDEV_TX_OK && said != NET_XMIT_CN) {
		__sync_fetch_and_add(&v->sendDrops, 1);
		return 0;
	}
	__sync_fetch_and_add(&v->sent,
			     (__u32)ctx->args[3] - (is_loopback(dev) ? ETHERNET_HEADER : 0));
	__sync_fetch_and_add(&v->sentPackets, 1);
	return 0;
}

/* The link header, which lies before the data by now, if it counts. */
static __always_inline __u32 link_header(const struct sk_buff *skb, const struct net_device *dev)
{
	__u16 at = BPF_CORE_READ(skb, mac_header);
	__u64 bytes = BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head) - at;

	return at == 0xffff || bytes > 255 || is_loopback(dev) ? 0 : bytes;
}

/* args: struct sk_buff */
SEC("raw_tp/netif_receive_skb")
int received(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	const struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct net_value *v = entry(dev);

	if (!v)
		return 0;
	__sync_fetch_and_add(&v->received, BPF_CORE_READ(skb, len) + link_header(skb, dev));
	__sync_fetch_and_add(&v->receivedPackets, 1);
	return 0;
}
