// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * A ClientHello is known by its first bytes, on any port, and put together where it comes in
 * several segments. What stands in it the host decodes: tls.c.
 */
#include <gadget/owner.bpf.h>
#include <gadget/stream.bpf.h>

#include "trace_sni.h"

GADGET("Trace the server names that TLS clients ask for\n"
       "The Server Name Indication of each ClientHello over TCP, IPv4 and IPv6, on any port, in "
       "one segment or several, with the versions and the protocols (ALPN) that the client "
       "offers, the process and the server's address. Where both ends are in wanted containers, "
       "each has its own record.",
       ALIAS("snisnoop") LIMITS(
	       "QUIC (HTTP/3) is not seen, nor a name that is encrypted (ECH), which has the "
	       "name of who decrypts it in its place. Of a server the process is the one that "
	       "listens; Linux 5.10 cannot tell it where that was there before. Of a "
	       "ClientHello in several segments the first 7 KiB are read.")
	       SELFTEST(
		       "perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(LocalAddr => "
		       "\"127.0.0.1\", LocalPort => 4433, Listen => 1); exec qw(openssl s_client "
		       "-connect 127.0.0.1:4433 -servername selftest.example) or exit 127 if fork; "
		       "$c = $l->accept; sysread $c, $_, 4096'",
		       "name==selftest.example"));
PACKET_TRACER(sni, sni_event, SNI_HELLO_MAX);

enum { START_BYTES = 11, RECORDS_MAX = 16, HANDSHAKE = 22, CLIENT_HELLO = 1 };

/* Sequence numbers of the last ones that were shown: a segment may come again. */
struct shown {
	__u32 seq[2];
	bool any[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct shown);
} shown SEC(".maps");

static __always_inline __u32 number(const __u8 *b)
{
	return b[0] << 8 | b[1];
}

/*
 * How long the ClientHello is that begins so, with its record's header; START_BYTES: that is in
 * several records; 0: it is none.
 */
static __always_inline __u32 hello_bytes(const __u8 *b)
{
	__u32 record = number(b + 3), hello = 4 + number(b + 7);

	if (b[0] != HANDSHAKE || b[1] != 3 || b[5] != CLIENT_HELLO || b[9] != 3 || b[6] ||
	    record < 6)
		return 0;
	return record < hello ? START_BYTES : 5 + hello;
}

/*
 * The same of one of which a part has come: up to its end, or to where the next record's header
 * ends; 0: it has too many records.
 */
__noinline int hello_needs(struct __sk_buff *skb, __u32 egress)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	const __u8 *b = part ? (const __u8 *)part->bytes : NULL;
	__u32 hello, got = 0;
	__u64 at = 0;

	if (!b)
		return 0;
	hello = 4 + number(b + 7);
	for (int i = 0; i < RECORDS_MAX; i++) {
		__u32 record;

		if (at + 5 > part->stream.stored)
			return at + 5;
		barrier_var(at);
		if (at >= STREAM_CAP)
			return 0;
		record = number(b + at + 3);
		if (got + record >= hello)
			return at + 5 + hello - got;
		got += record;
		at += 5 + record;
	}
	return 0;
}

static __always_inline struct sni_event *begin(struct __sk_buff *skb, const struct packet *p,
					       g_container c, bool egress, __u32 length)
{
	const struct g_process *owner = owner_of_packet(skb);
	struct sni_event *e;

	if (!owner_wanted(owner))
		return NULL;
	e = packet_record_begin(sni, c);
	if (!e)
		return NULL;
	if (owner)
		e->proc = *owner;
	e->src = p->src;
	e->dst = p->dst;
	e->pkt_type = egress ? OUTGOING : HOST;
	e->length = length;
	e->netns_id = packet_netns(skb);
	return e;
}

static __always_inline bool was_shown(struct __sk_buff *skb, __u32 seq, bool egress)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct shown *s = sk ? bpf_sk_storage_get(&shown, sk, 0, 0) : NULL;

	return s && s->any[egress] && s->seq[egress] == seq;
}

/* False: it was shown before. */
static __always_inline bool is_new(struct __sk_buff *skb, __u32 seq, bool egress)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct shown *s;

	s = sk ? bpf_sk_storage_get(&shown, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) : NULL;
	if (!s)
		return true;
	if (s->any[egress] && s->seq[egress] == seq)
		return false;
	s->any[egress] = true;
	s->seq[egress] = seq;
	return true;
}

/* One that lies in the segment as a whole. */
__noinline int put_whole(struct __sk_buff *skb, __u32 length, __u32 egress)
{
	struct sni_event *e;
	struct packet p;
	g_container c;

	if (!packet_wanted(skb, &c) || !packet_parse(skb, &p) || !is_new(skb, p.seq, egress & 1))
		return 0;
	e = begin(skb, &p, c, egress & 1, length);
	if (!e)
		return 0;
	text_packet(sni, e, name, skb, p.payload, length, SNI_HELLO_MAX);
	packet_record_submit(sni, e);
	return 0;
}

/* Its beginning. How long it is; 0: it is none. */
static __always_inline __u32 look_at_start(struct __sk_buff *skb, const struct packet *p)
{
	__u8 b[START_BYTES] = {};

	if (p->payload_len >= START_BYTES)
		return bpf_skb_load_bytes(skb, p->payload, b, START_BYTES) ? 0 : hello_bytes(b);
	/* Not enough to know. */
	if (bpf_skb_load_bytes(skb, p->payload, b, 1) || b[0] != HANDSHAKE)
		return 0;
	return START_BYTES;
}

/* One that came in parts. */
__noinline int put_part(struct __sk_buff *skb, __u32 egress)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	struct sni_event *e;
	struct packet p;
	g_container c;

	if (!part || !packet_wanted(skb, &c) || !packet_parse(skb, &p) ||
	    !is_new(skb, part->stream.next - part->stream.used, egress & 1))
		return 0;
	e = begin(skb, &p, c, egress, part->stream.need);
	if (!e)
		return 0;
	text_kernel_bytes(sni, e, name, part->bytes, part->stream.stored, SNI_HELLO_MAX);
	if (part->stream.stored < part->stream.need)
		e->name.length |= G_TRUNCATED;
	packet_record_submit(sni, e);
	return 0;
}

/* The segment's payload goes on with what was begun. */
__noinline int go_on(struct __sk_buff *skb, __u32 egress, __u32 at, __u32 left)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	struct stream *s = &part->stream;
	__u32 took = 0;

	if (!part)
		return 0;
	for (int i = 0; i < RECORDS_MAX; i++) {
		__u32 need;

		took += stream_take(skb, egress, at + took, left - took);
		if (!stream_is_whole(s))
			return 0;
		if (s->need == START_BYTES && !hello_bytes((const __u8 *)part->bytes))
			break;
		need = hello_needs(skb, egress);
		if (need <= s->need) {
			put_part(skb, egress);
			break;
		}
		s->need = need;
	}
	s->need = 0;
	return 0;
}

static __always_inline void look_at(struct __sk_buff *skb, g_container c, __u32 egress)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	struct packet p;
	__u32 need;

	if (!packet_parse(skb, &p) || !p.payload_len)
		return;
	if (part && part->stream.need) {
		if (part->stream.next == p.seq) {
			go_on(skb, egress, p.payload, p.payload_len);
		} else if ((__s32)(p.seq - part->stream.next) > 0) { /* something is missing */
			part->stream.need = 0;
			record_lost(c);
		}
		return;
	}
	need = look_at_start(skb, &p);
	if (need > START_BYTES && need <= p.payload_len) {
		put_whole(skb, need, egress);
	} else if (need && !was_shown(skb, p.seq, egress & 1)) {
		part = stream_part(skb, egress, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!part) {
			record_lost(c);
			return;
		}
		stream_begin(&part->stream, p.seq, need);
		go_on(skb, egress, p.payload, p.payload_len);
	}
}

/* What is not wanted leaves here. */
static __always_inline void see(struct __sk_buff *skb, __u32 egress)
{
	g_container c;

	if (packet_wanted_protocol(skb, &c) == IPPROTO_TCP)
		look_at(skb, c, egress);
}
PACKET_PROGRAMS(see)
