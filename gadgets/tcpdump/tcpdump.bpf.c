// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Two hooks see the packets of all network namespaces, at the places where packet sockets do. The
 * container is that of the device's network namespace. All of it runs with softirqs off.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/netns_container.bpf.h>
#include <gadget/owner.bpf.h>
#include <gadget/packet_filter.bpf.h>

#include "tcpdump.h"
#include "frame.bpf.h"
#include "pages.bpf.h"

GADGET("Capture packets of containers' network devices\n"
       "Each frame that a device in a container's network namespace sends or receives, with the "
       "process that sends it. -o pcap-ng writes a capture file for Wireshark and its like: "
       "ig run tcpdump -o pcap-ng | wireshark -k -i -",
       LIMITS("Containers that share a network namespace are one here, and those in the host's "
	      "are the host (--host). The process is that of the socket which sends; of what is "
	      "received, or sent without a socket, it is not known. What a macvlan or VLAN device "
	      "receives is seen at the device below it. A frame is taken up to 30,000 bytes, and a "
	      "filter sees its first 512. Devices without Ethernet headers get one, with no "
	      "addresses.")
	       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
			"dst.port==9,dev==lo"));

PACKET_FILTER(pf, matches,
	      "Only packets that this pcap expression matches: tcp port 80 (numbers; no names of "
	      "hosts or services)");
PARAM(__u32, snaplen, 0, "Most bytes of each frame that are taken; 0: as many as can be");
PARAM_TEXT(iface, 16, "Only this network device");
TRACER_RING(packets, tcpdump_event, TCPDUMP_TAIL, 4 << 20);

/* Bytes behind the link header that are read for the filter; the rest only where it passes. */
enum { START = PACKET_FILTER_BYTES };

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags,
			       struct bpf_dynptr *ptr) __ksym __weak;

static __always_inline bool iface_wanted(const struct net_device *dev)
{
	const volatile __u64 *want = (const volatile __u64 *)iface;
	__u64 name[2] = {};

	if (!iface[0])
		return true;
	BPF_CORE_READ_STR_INTO((char(*)[16])name, dev, name);
	return name[0] == want[0] && name[1] == want[1];
}

/* Who sends it: a socket keeps to its packet on the way through other namespaces. */
static __always_inline bool sender(struct g_process *ret, const struct sk_buff *skb, g_netns netns)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	__u8 state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : TCP_TIME_WAIT;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV &&
	       BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == netns &&
	       owner_of_sock(sk, ret);
}

/* The record of a frame that is wanted as far as its device says. */
static __always_inline struct tcpdump_event *begin(const struct sk_buff *skb,
						   const struct net_device *dev, bool out)
{
	g_netns netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	struct tcpdump_event *e;
	g_container c;

	if (!wanted_netns_of(netns, &c) || !iface_wanted(dev))
		return NULL;
	e = record_begin_softirq(packets, c);
	if (!e)
		return NULL;
	e->netns_id = netns;
	e->pkt_type = out ? OUTGOING : HOST;
	return e;
}

/* How many bytes behind the link header are to be taken. */
static __always_inline __u32 wanted_bytes(const struct frame *f)
{
	__u32 link = ETHERNET + (f->tagged ? VLAN : 0), most = TCPDUMP_PAYLOAD;

	if (snaplen && snaplen < TCPDUMP_PAYLOAD)
		most = snaplen > link ? snaplen - link : 0;
	return f->payload < most ? f->payload : most;
}

/* `have` bytes behind the link header are there. */
static __always_inline bool passes(struct packets_scratch *s, const struct frame *f, __u32 at,
				   __u32 have)
{
	have += TCPDUMP_LINK - at;
	if (have > PACKET_FILTER_BYTES)
		have = PACKET_FILTER_BYTES;
	return matches(s->tail + (at & VLAN), have, frame_length(f));
}

static __always_inline void submit(struct tcpdump_event *e, const struct frame *f,
				   const struct net_device *dev, __u32 at, __u32 have, bool out)
{
	struct packets_scratch *s = g_scratch_of(packets, e);
	__u32 bytes = TCPDUMP_LINK - at + have;

	if (snaplen && bytes > snaplen)
		bytes = snaplen;
	e->length = frame_length(f);
	e->frame.offset = sizeof(s->record) + at;
	e->frame.length = bytes | (bytes < e->length ? G_TRUNCATED : 0);
	s->used = at + bytes;
	if (!owner_wanted(out && sender(&e->proc, f->skb, e->netns_id) ? &e->proc : NULL))
		return;
	BPF_CORE_READ_STR_INTO(&e->dev, dev, name);
	e->ifindex = BPF_CORE_READ(dev, ifindex);
	record_submit(packets, e);
}

/* ---- Linux 6.12 and later ------------------------------------------------------------------- */

/* `bytes` of the packet from `at` on to where they belong. */
static __always_inline bool read_more(struct packets_scratch *s, struct bpf_dynptr *packet,
				      const struct frame *f, __u32 at, __u64 bytes, __u64 most)
{
	__u64 less = bytes - 1; /* of none it is too large */

	barrier_var(less); /* what is compared is what is passed on, for the verifier */
	return less < most &&
	       !bpf_dynptr_read(s->tail + TCPDUMP_LINK + at, less + 1, packet, f->from + at, 0);
}

static __always_inline int see(struct sk_buff *skb, const struct net_device *dev, bool out)
{
	struct tcpdump_event *e = begin(skb, dev, out);
	struct packets_scratch *s;
	struct bpf_dynptr packet;
	__u32 at, want, have;
	struct frame f;

	if (!e || bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &packet))
		return 0;
	s = g_scratch_of(packets, e);
	frame_look(&f, skb, dev, out);
	at = frame_link(&f, (__u8 *)s->tail);
	have = f.payload < START ? f.payload : START;
	if (!read_more(s, &packet, &f, 0, have, START))
		have = 0;
	if (!passes(s, &f, at, have))
		return 0;
	want = wanted_bytes(&f);
	if (want > START && read_more(s, &packet, &f, START, want - START, TCPDUMP_PAYLOAD - START))
		have = want;
	submit(e, &f, dev, at, have, out);
	return 0;
}

/* args: struct sk_buff, struct net_device */
SEC("tp_btf/net_dev_start_xmit")
RUNG(capture, 1) NEEDS(bpf_copy_from_user_str) int sends(__u64 *ctx)
{
	const struct net_device *dev = (const void *)ctx[1];

	/* What the loopback device sends it receives: once is enough. */
	if (BPF_CORE_READ(dev, type) == ARPHRD_LOOPBACK)
		return 0;
	return see((struct sk_buff *)ctx[0], dev, true);
}

/* args: struct sk_buff */
SEC("tp_btf/netif_receive_skb")
RUNG(capture, 1) NEEDS(bpf_copy_from_user_str) int receives(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];

	return see(skb, BPF_CORE_READ(skb, dev), false);
}

/* ---- before --------------------------------------------------------------------------------- */

static __always_inline int see_pages(const struct sk_buff *skb, const struct net_device *dev,
				     bool out)
{
	struct tcpdump_event *e = begin(skb, dev, out);
	struct packets_scratch *s;
	__u32 at, want, have;
	struct frame f;

	if (!e)
		return 0;
	s = g_scratch_of(packets, e);
	frame_look(&f, skb, dev, out);
	at = frame_link(&f, (__u8 *)s->tail);
	have = frame_read_pages(&f, s->tail + TCPDUMP_LINK, f.payload < START ? f.payload : START);
	if (!passes(s, &f, at, have))
		return 0;
	want = wanted_bytes(&f);
	if (want > START)
		have = frame_read_pages(&f, s->tail + TCPDUMP_LINK, want);
	submit(e, &f, dev, at, have, out);
	return 0;
}

#define PAGES                                                                                 \
	CANNOT_TELL("what lies behind the headers, where the kernel keeps that in pages and " \
		    "does not tell where they are (on arm64, and without CONFIG_KALLSYMS_ALL)")

SEC("raw_tp/net_dev_start_xmit")
RUNG(capture, 2) PAGES int sends_pages(struct bpf_raw_tracepoint_args *ctx)
{
	const struct net_device *dev = (const void *)ctx->args[1];

	if (BPF_CORE_READ(dev, type) == ARPHRD_LOOPBACK)
		return 0;
	return see_pages((const void *)ctx->args[0], dev, true);
}

SEC("raw_tp/netif_receive_skb")
RUNG(capture, 2) PAGES int receives_pages(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];

	return see_pages(skb, BPF_CORE_READ(skb, dev), false);
}
