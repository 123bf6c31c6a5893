/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A packet's bytes where the kernel has no function for it that this kind of program may call
 * (before Linux 6.12): headers lie in one block, what follows them may lie in pages. Where a page
 * is mapped is computed as the kernel does it on x86-64, from two variables of its own.
 */
#pragma once

#include "frame.bpf.h"

extern const void vmemmap_base __ksym __weak;
extern const void page_offset_base __ksym __weak;

/* Both begin with a pointer and two such numbers, in this order: struct bio_vec, skb_frag. */
struct fragment {
	__u64 page;
	__u32 length, offset;
};

static __always_inline __u64 page_address(__u64 page)
{
	__u64 pages = 0, memory = 0;

	if (!&vmemmap_base || !&page_offset_base)
		return 0;
	bpf_probe_read_kernel(&pages, sizeof(pages), &vmemmap_base);
	bpf_probe_read_kernel(&memory, sizeof(memory), &page_offset_base);
	return memory + (page - pages) / bpf_core_type_size(struct page) * 4096;
}

/* Where the next bytes of a packet lie. */
struct walk {
	__u64 fragments;    /* the next one of them */
	__u64 left;	    /* how many */
	__u64 at;	    /* the next byte of the current block */
	__u64 bytes;	    /* of it */
	__u64 done, wanted; /* bytes that were read, and are to be */
};

/* In a map, of whose contents the verifier makes no cases: so it is soon done with the loop. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

static __always_inline void walk_begin(struct walk *w, const struct frame *f, __u32 wanted)
{
	const struct sk_buff *skb = f->skb;
	__u64 shared = (__u64)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end);
	__u32 block = BPF_CORE_READ(skb, len) - BPF_CORE_READ(skb, data_len);
	const struct skb_shared_info *info = (const void *)shared;

	w->at = (__u64)BPF_CORE_READ(skb, data) + f->from;
	w->bytes = block > f->from ? block - f->from : 0;
	w->left = BPF_CORE_READ(info, nr_frags);
	w->fragments = shared + bpf_core_field_offset(struct skb_shared_info, frags);
	w->done = 0;
	w->wanted = wanted;
}

/* False: there is none. */
static __always_inline bool walk_next_block(struct walk *w)
{
	struct fragment next = {};

	if (!w->left)
		return false;
	bpf_probe_read_kernel(&next, sizeof(next), (const void *)w->fragments);
	w->fragments += sizeof(next);
	w->left--;
	w->at = page_address(next.page);
	w->bytes = next.length;
	if (!w->at)
		return false;
	w->at += next.offset;
	return true;
}

/* False: it was the last one. A function, so that the verifier of Linux 5.10 sees that it ends. */
static __noinline int walk_step(struct walk *w, char *to)
{
	__u64 done = w->done, take = w->wanted - done;

	if (done >= w->wanted || (!w->bytes && !walk_next_block(w)))
		return false;
	take = take < w->bytes ? take : w->bytes;
	take = take < TCPDUMP_CHUNK ? take : TCPDUMP_CHUNK;
	barrier_var(take);
	barrier_var(done);
	if (take > TCPDUMP_CHUNK || done > TCPDUMP_PAYLOAD ||
	    bpf_probe_read_kernel(to + done, take, (const void *)w->at))
		return false;
	w->done += take;
	w->at += take;
	w->bytes -= take;
	return true;
}

enum { STEPS = TCPDUMP_PAYLOAD / TCPDUMP_CHUNK + 20 /* blocks, of which most are not so long */ };

/*
 * The first `bytes` (at most TCPDUMP_PAYLOAD) behind the link header, to a place that has room for
 * TCPDUMP_CHUNK more. Returns how many could be read.
 */
static __always_inline __u32 frame_read_pages(const struct frame *f, char *to, __u32 bytes)
{
	__u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w)
		return 0;
	walk_begin(w, f, bytes);
	for (int i = 0; i < STEPS; i++)
		if (!walk_step(w, to))
			break;
	return w->done;
}
