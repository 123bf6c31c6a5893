/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A message of a TCP stream that comes in several segments, put together at the socket: the first
 * STREAM_CAP bytes of it lie in an SK_STORAGE map, one for each direction, and go with the socket.
 *
 *   part = stream_part(skb, egress, BPF_LOCAL_STORAGE_GET_F_CREATE);
 *   stream_begin(&part->stream, seq, need);
 *   at += stream_take(skb, egress, at, left);
 *   if (stream_is_whole(&part->stream)) …
 *
 * Who uses it looks at sequence numbers: part->stream.next is that of what comes next.
 */
#pragma once

#include <gadget/packet.bpf.h>

/* Together below 8 KiB with what lies around them: more cannot be had at a socket since Linux 7.0. */
enum { STREAM_CAP = 7168, STREAM_CHUNK = 768 };

struct stream {
	__u32 next;   /* sequence number of what comes next */
	__u32 need;   /* bytes of the message; 0: there is none */
	__u32 used;   /* of these, bytes that have come */
	__u32 stored; /* of these, bytes that are in the map: a message may be longer than that */
	/*
	 * How stream_take() is getting on: in the map, so that the verifier does not follow their
	 * values from step to step.
	 */
	volatile __u32 take, done;
};

struct stream_part {
	struct stream stream;
	char bytes[STREAM_CAP + STREAM_CHUNK];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stream_part);
} g_received SEC(".maps"), g_sent SEC(".maps");

/* Of the packet's socket; `how` as in bpf_sk_storage_get(). NULL: there is none. */
static __always_inline struct stream_part *stream_part(struct __sk_buff *skb, __u32 egress,
						       __u64 how)
{
	struct bpf_sock *sk = packet_whole_sock(skb);

	if (!sk)
		return NULL;
	return egress ? bpf_sk_storage_get(&g_sent, sk, 0, how)
		      : bpf_sk_storage_get(&g_received, sk, 0, how);
}

static __always_inline void stream_begin(struct stream *s, __u32 seq, __u32 need)
{
	s->next = seq;
	s->need = need;
	s->used = s->stored = 0;
}

static __always_inline bool stream_is_whole(const struct stream *s)
{
	return s->need && s->used >= s->need;
}

/* Up to a chunk to where the stored bytes end. False: no more. */
static __always_inline bool g_stream_step(struct stream_part *part, struct __sk_buff *skb, __u32 at)
{
	struct stream *s = &part->stream;
	__u32 done = s->done, take = s->take;
	__u64 to = s->stored, n = take - done < STREAM_CHUNK ? take - done : STREAM_CHUNK;

	barrier_var(to);
	if (done >= take || to != s->used + done || to >= STREAM_CAP ||
	    g_packet_load(skb, at + done, part->bytes + to, n, STREAM_CHUNK) <= 0)
		return false;
	s->stored = to + n;
	s->done = done + n;
	return true;
}

/*
 * The `left` bytes at `at` follow what has come: takes what the message needs; how many these are.
 * A global function, which the verifier looks at once.
 */
__noinline int stream_take(struct __sk_buff *skb, __u32 egress, __u32 at, __u32 left)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	struct stream *s = &part->stream;
	__u32 need;

	if (!part)
		return 0;
	need = s->need - s->used;
	s->take = need < left ? need : left;
	s->done = 0;
	for (__u32 i = 0; i <= STREAM_CAP / STREAM_CHUNK; i++)
		if (!g_stream_step(part, skb, at))
			break;
	s->used += s->take;
	s->next += s->take;
	return s->take;
}
