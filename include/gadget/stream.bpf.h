/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A message of a TCP stream that comes in several segments, put together at the socket: its bytes
 * lie in an SK_STORAGE map and go with the socket. Segments that come again are known by their
 * sequence numbers; after one that is missing, the message is given up.
 *
 *   STREAM_PARTS(dns_in, 8192);
 *
 *   part = bpf_sk_storage_get(&dns_in, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
 *   stream_begin(&part->stream, seq, need);
 *   at += stream_take(&part->stream, part->bytes, 8192, skb, at, left);
 *   if (stream_is_whole(&part->stream)) …
 */
#pragma once

#include <gadget/packet.bpf.h>

enum { STREAM_CHUNK = 2048 };

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

/* CAP: bytes of a message that are kept. */
#define STREAM_PARTS(NAME, CAP)                        \
	struct NAME##_part {                           \
		struct stream stream;                  \
		char bytes[(CAP) + STREAM_CHUNK];      \
	};                                             \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE); \
		__uint(map_flags, BPF_F_NO_PREALLOC);  \
		__type(key, int);                      \
		__type(value, struct NAME##_part);     \
	} NAME SEC(".maps")

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
static __always_inline bool g_stream_step(struct stream *s, char *bytes, __u32 cap,
					  struct __sk_buff *skb, __u32 at)
{
	__u32 done = s->done, take = s->take;
	__u64 to = s->stored, n = take - done < STREAM_CHUNK ? take - done : STREAM_CHUNK;

	barrier_var(to);
	if (done >= take || to != s->used + done || to >= cap ||
	    g_packet_load(skb, at + done, bytes + to, n, STREAM_CHUNK) <= 0)
		return false;
	s->stored = to + n;
	s->done = done + n;
	return true;
}

/* The `left` bytes at `at` follow what has come: takes what the message needs; how many these are.
 */
static __always_inline __u32 stream_take(struct stream *s, char *bytes, __u32 cap,
					 struct __sk_buff *skb, __u32 at, __u32 left)
{
	__u32 need = s->need - s->used;

	s->take = need < left ? need : left;
	s->done = 0;
	for (__u32 i = 0; i <= cap / STREAM_CHUNK; i++)
		if (!g_stream_step(s, bytes, cap, skb, at))
			break;
	s->used += s->take;
	s->next += s->take;
	return s->take;
}
