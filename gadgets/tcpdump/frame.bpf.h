/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The kernel's packets as Ethernet frames. On the way out the link header is the beginning of the
 * packet, on the way in it was taken off before; a VLAN tag may lie beside it; and devices such as
 * tun have none at all, so that one is made for them.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct net_device {
	char name[16];
	int ifindex;
	unsigned short type;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len, data_len;
	__be16 protocol, vlan_proto;
	__u16 vlan_tci, mac_header;
	__u32 vlan_all; /* since 6.2 */
	__u32 end;
	unsigned char *head, *data;
};
struct sk_buff___6_1 {
	__u8 vlan_present : 1;
};
struct skb_frag { /* struct bio_vec up to 6.8 */
	__u32 len;
};
struct skb_shared_info {
	__u8 nr_frags;
	struct skb_frag frags[1];
};
struct page {
	unsigned long flags;
};
#pragma clang attribute pop

enum { ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772 };
enum { ETHERNET = 14, ADDRESSES = 12, VLAN = 4 };

struct frame {
	const struct sk_buff *skb;
	bool ethernet; /* the device has such headers */
	bool tagged;   /* a VLAN tag lies beside the packet */
	__u32 from;    /* where what follows the link header begins, from skb->data on */
	__u32 payload; /* bytes of it */
};

static __always_inline bool frame_is_tagged(const struct sk_buff *skb)
{
	const struct sk_buff___6_1 *old = (const void *)skb;

	if (bpf_core_field_exists(old->vlan_present))
		return BPF_CORE_READ_BITFIELD_PROBED(old, vlan_present);
	return BPF_CORE_READ(skb, vlan_all);
}

static __always_inline void frame_look(struct frame *f, const struct sk_buff *skb,
				       const struct net_device *dev, bool out)
{
	__u16 type = BPF_CORE_READ(dev, type);
	__u32 length = BPF_CORE_READ(skb, len);

	f->skb = skb;
	f->ethernet = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
	f->tagged = frame_is_tagged(skb);
	f->from = out && f->ethernet ? ETHERNET : 0;
	f->payload = length > f->from ? length - f->from : 0;
}

static __always_inline __u32 frame_length(const struct frame *f)
{
	return ETHERNET + (f->tagged ? VLAN : 0) + f->payload;
}

/*
 * Its link header to the end of `to`, which has room for one with a tag. Returns where it begins.
 */
static __always_inline __u32 frame_link(const struct frame *f, __u8 *to)
{
	const struct sk_buff *skb = f->skb;
	const unsigned char *from = BPF_CORE_READ(skb, data);
	__be16 *words = (__be16 *)to; /* the packet's type is the last of nine */

	__builtin_memset(to, 0, VLAN + ETHERNET);
	if (!f->from)
		from = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, mac_header);
	if (!f->ethernet)
		words[8] = BPF_CORE_READ(skb, protocol);
	else if (!f->tagged)
		bpf_probe_read_kernel(to + VLAN, ETHERNET, from);
	else
		bpf_probe_read_kernel(to, ETHERNET, from);
	if (!f->tagged)
		return VLAN;
	if (f->ethernet)
		words[8] = words[6];
	words[6] = BPF_CORE_READ(skb, vlan_proto);
	words[7] = bpf_htons(BPF_CORE_READ(skb, vlan_tci));
	return 0;
}
