// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Messages are found here by port, put together where they come in several TCP segments, matched
 * (query and response) and copied. What stands in them the host decodes: dns.c.
 */
#include <gadget/owner_paths.bpf.h>
#include <gadget/stream.bpf.h>

#include "trace_dns.h"

GADGET("Trace DNS queries and their responses\n"
       "Over UDP and TCP, IPv4 and IPv6, on ports 53 and 5353 (mDNS): what is asked for and by "
       "which process, which server was asked, how the response ends, the addresses and names in "
       "it, and how long it took. A query that had no response when its socket was closed is "
       "shown again, with `timeout`. Where both ends are in wanted containers, each has its own "
       "records.",
       ALIAS("dns")
       LIMITS("What is encrypted (DNS over TLS, HTTPS or QUIC) is not seen, nor what packet "
	      "sockets and most raw ones send. Of what a server accepts over TCP the process is the one "
	      "that listens; Linux 5.10 cannot tell it where that was there before. Of a "
	      "message's questions the first is shown, of a message over TCP in several "
	      "segments the first 7 KiB. Of one socket's queries without response the last 4 "
	      "are told. Of a socket that was there before, exepath and cwd are known from when "
	      "its process next connects it or (UDP) sends or receives with it unconnected.")
       SELFTEST("perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Proto => \"udp\", PeerAddr "
		"=> \"127.0.0.1:53\"); $s->send(pack(\"n6C/a*C/a*xn2\", 7, 256, 1, 0, 0, 0, "
		"\"selftest\", \"invalid\", 1, 1))'",
		"name==selftest.invalid."));
PARAM(__u16, port, 0, "Another port that servers have, besides 53 and 5353");
PACKET_TRACER_RING(dns, dns_event, OWNER_PATHS_BYTES + DNS_MESSAGE_MAX, 4 << 20);

enum { HEADER_BYTES = 12, QUERIES = 4, QUERY_BYTES = 320, MESSAGES_MAX = 64 /* in a segment */ };
enum { FLAG_RESPONSE = 0x80 }; /* in the first byte of the flags */

/* ---- what is open ---------------------------------------------------------------------------- */

struct query_key {
	__u64 socket; /* cookie */
	g_addr peer;
	__u16 port, id;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct query_key);
	__type(value, __u64); /* when */
} times SEC(".maps");

/* Of a socket that asks: what had no response yet. */
struct query {
	__u64 when; /* 0: none */
	struct g_endpoint src, dst;
	__u32 length; /* of bytes */
	__u16 id;
	char bytes[QUERY_BYTES];
};

struct queries {
	volatile __u32 slot;
	struct query open[QUERIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct queries);
} asked SEC(".maps");

/* Up to where a connection's bytes were seen: received, sent. */
struct positions {
	__u32 next[2];
	bool known[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct positions);
} seen SEC(".maps");

/* ---- one message ----------------------------------------------------------------------------- */

struct message {
	struct packet packet;
	g_container container;
	bool egress;
	__u16 id;
	__u8 flags;
	__u32 at;     /* in the packet, where it is there */
	__u32 length; /* of the message */
};

static __always_inline bool is_server(__u16 number)
{
	return number == 53 || number == 5353 || (port && number == port);
}

static __always_inline void open_query(struct __sk_buff *skb, const struct message *m, __u64 now)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct queries *all;
	struct query *q;
	__u32 slot = 0;

	all = sk ? bpf_sk_storage_get(&asked, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) : NULL;
	if (!all)
		return;
	/* The same again, else the oldest; a free one is older than all. */
	_Pragma("unroll") for (__u32 i = 0; i < QUERIES; i++)
	{
		if (all->open[i].when && all->open[i].id == m->id) {
			slot = i;
			break;
		}
		if (all->open[i].when < all->open[slot & (QUERIES - 1)].when)
			slot = i;
	}
	all->slot = slot; /* read back, so that the verifier does not follow each */
	q = &all->open[all->slot & (QUERIES - 1)];
	q->id = m->id;
	q->src = m->packet.src;
	q->dst = m->packet.dst;
	q->length = m->length < QUERY_BYTES ? m->length : QUERY_BYTES;
	q->when = g_packet_load(skb, m->at, q->bytes, q->length, QUERY_BYTES) > 0 ? now : 0;
}

static __always_inline void close_query(struct __sk_buff *skb, const struct message *m)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	struct queries *all = sk ? bpf_sk_storage_get(&asked, sk, 0, 0) : NULL;

	if (!all)
		return;
	_Pragma("unroll") for (int i = 0; i < QUERIES; i++)
	{
		if (all->open[i].id == m->id)
			all->open[i].when = 0;
	}
}

/* Since its query, of a response; 0: that was not seen. */
static __always_inline __u64 latency_of(struct __sk_buff *skb, const struct message *m, __u64 now)
{
	const struct g_endpoint *peer = m->egress ? &m->packet.dst : &m->packet.src;
	struct query_key key = {
		.socket = bpf_get_socket_cookie(skb), .port = peer->port, .id = m->id};
	__u64 latency = 0, *when;

	__builtin_memcpy(key.peer, peer->addr, sizeof(key.peer));
	if (!(m->flags & FLAG_RESPONSE)) {
		bpf_map_update_elem(&times, &key, &now, BPF_ANY);
		return 0;
	}
	when = bpf_map_lookup_elem(&times, &key);
	if (when) {
		latency = now - *when;
		bpf_map_delete_elem(&times, &key);
	}
	return latency;
}

static __always_inline void fill_ends(struct dns_event *e, const struct g_endpoint *src,
				      const struct g_endpoint *dst)
{
	e->src = *src;
	e->dst = *dst;
	e->nameserver = e->qr == R || (!is_server(dst->port) && is_server(src->port)) ? *src : *dst;
}

/* NULL: nobody wants it. */
static __always_inline struct dns_event *begin(struct __sk_buff *skb, const struct message *m)
{
	const struct g_process *owner = owner_of_packet(skb);
	struct dns_event *e;

	if (!owner_wanted(owner))
		return NULL;
	e = packet_record_begin(dns, m->container);
	if (!e)
		return NULL;
	if (owner)
		e->proc = *owner;
	e->qr = m->flags & FLAG_RESPONSE ? R : Q;
	fill_ends(e, &m->packet.src, &m->packet.dst);
	e->pkt_type = m->egress ? OUTGOING : HOST;
	e->length = m->length;
	e->netns_id = packet_netns(skb);
	e->latency_ns = latency_of(skb, m, e->timestamp);
	text_owner_paths(dns, e, owner_paths_of(packet_whole_sock(skb), owner));
	return e;
}

static __always_inline int put_from_packet(struct __sk_buff *skb, struct message *m)
{
	struct dns_event *e;
	__u8 header[4];

	if (m->length < HEADER_BYTES || bpf_skb_load_bytes(skb, m->at, header, sizeof(header)))
		return 0;
	m->id = header[0] << 8 | header[1];
	m->flags = header[2];
	e = begin(skb, m);
	if (!e)
		return 0;
	if (m->egress && e->qr == Q)
		open_query(skb, m, e->timestamp);
	else if (!m->egress && e->qr == R)
		close_query(skb, m);
	text_packet(dns, e, name, skb, m->at, m->length, DNS_MESSAGE_MAX);
	packet_record_submit(dns, e);
	return 0;
}

/* A message over TCP that came in parts; behind its length. */
static __always_inline int put_from_part(struct __sk_buff *skb, struct message *m,
					 const struct stream *s, const char *bytes)
{
	struct dns_event *e;
	__u32 stored = s->stored;

	m->length = s->need - 2;
	if (stored < 2 + HEADER_BYTES)
		return 0;
	m->id = (__u8)bytes[2] << 8 | (__u8)bytes[3];
	m->flags = bytes[4];
	e = begin(skb, m);
	if (!e)
		return 0;
	if (!m->egress && e->qr == R)
		close_query(skb, m);
	text_kernel_bytes(dns, e, name, bytes + 2, stored - 2, DNS_MESSAGE_MAX);
	if (stored - 2 < m->length)
		e->name.length |= G_TRUNCATED;
	packet_record_submit(dns, e);
	return 0;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

/* What of the segment was not seen before: moves m->at; how many bytes. Moves *seq as well. */
static __always_inline __u32 new_bytes(struct __sk_buff *skb, struct message *m, __u32 *seq)
{
	struct bpf_sock *sk = packet_whole_sock(skb);
	__u32 left = m->packet.payload_len, way = m->egress, again;
	struct positions *s;

	*seq = m->packet.seq;
	m->at = m->packet.payload;
	s = sk ? bpf_sk_storage_get(&seen, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) : NULL;
	if (!s)
		return 0;
	again = s->next[way & 1] - *seq;
	if (s->known[way & 1] && (__s32)again > 0) {
		if (again >= left)
			return 0;
		left -= again;
		*seq += again;
		m->at += again;
	}
	s->known[way & 1] = true;
	s->next[way & 1] = *seq + left;
	return left;
}

/* Of TCP or UDP on a server's port, with payload, in a wanted container. */
static __always_inline bool look_at(struct __sk_buff *skb, struct message *m, bool egress)
{
	__builtin_memset(m, 0, sizeof(*m));
	m->egress = egress;
	return packet_wanted(skb, &m->container) && packet_parse(skb, &m->packet) &&
	       m->packet.payload_len &&
	       (is_server(m->packet.src.port) || is_server(m->packet.dst.port));
}

/*
 * Global functions, which the verifier looks at once and not again for each call; 5.10 has them
 * take numbers only, so that they look at the packet again.
 */
__noinline int put_whole(struct __sk_buff *skb, __u32 at, __u32 length, __u32 egress)
{
	struct message m;

	if (look_at(skb, &m, egress)) {
		m.at = at;
		m.length = length;
		put_from_packet(skb, &m);
	}
	return 0;
}

/* Messages that lie in the segment as a whole. Returns what is left of it, a part of one. */
static __always_inline __u32 whole_messages(struct __sk_buff *skb, struct message *m, __u32 left)
{
	for (int i = 0; i < MESSAGES_MAX; i++) {
		__be16 length;

		if (left < 2)
			return left;
		if (bpf_skb_load_bytes(skb, m->at, &length, sizeof(length)))
			return 0;
		m->length = bpf_ntohs(length);
		if (m->length < HEADER_BYTES)
			return 0; /* no DNS */
		if (m->length + 2 > left)
			return left;
		put_whole(skb, m->at + 2, m->length, m->egress);
		m->at += m->length + 2;
		left -= m->length + 2;
	}
	if (left)
		record_lost(m->container);
	return 0;
}

__noinline int put_part(struct __sk_buff *skb, __u32 egress)
{
	struct stream_part *part = stream_part(skb, egress, 0);
	struct message m;

	if (part && look_at(skb, &m, egress))
		put_from_part(skb, &m, &part->stream, part->bytes);
	return 0;
}

/* The rest of a message whose beginning came before. Bytes that it took. */
static __always_inline __u32 go_on(struct __sk_buff *skb, const struct message *m, __u32 seq,
				   __u32 left)
{
	struct stream_part *part = stream_part(skb, m->egress, 0);
	struct stream *s = &part->stream;
	__u32 took;

	if (!part || !s->need)
		return 0;
	if (s->next != seq) { /* something is missing */
		s->need = 0;
		record_lost(m->container);
		return 0;
	}
	took = stream_take(skb, m->egress, m->at, left);
	if (s->need == 2 && s->stored == 2) { /* the length came alone */
		s->need = 2 + ((__u8)part->bytes[0] << 8 | (__u8)part->bytes[1]);
		took += stream_take(skb, m->egress, m->at + took, left - took);
	}
	if (stream_is_whole(s)) {
		put_part(skb, m->egress);
		s->need = 0;
	}
	return took;
}

__noinline int put_segment(struct __sk_buff *skb, __u32 egress)
{
	__u32 seq, left, took, first;
	struct stream_part *part;
	struct message m;

	if (!look_at(skb, &m, egress))
		return 0;
	left = new_bytes(skb, &m, &seq);
	first = m.at;
	took = left ? go_on(skb, &m, seq, left) : 0;
	m.at = first + took;
	left = whole_messages(skb, &m, left - took);
	if (!left)
		return 0;
	part = stream_part(skb, egress, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!part) {
		record_lost(m.container);
		return 0;
	}
	stream_begin(&part->stream, seq + (m.at - first), left < 2 ? 2 : m.length + 2);
	stream_take(skb, egress, m.at, left);
	return 0;
}

__noinline int put_datagram(struct __sk_buff *skb, __u32 egress)
{
	struct message m;

	if (!look_at(skb, &m, egress))
		return 0;
	m.at = m.packet.payload;
	m.length = m.packet.payload_len;
	put_from_packet(skb, &m);
	return 0;
}

/* What is not wanted leaves here. */
static __always_inline void see(struct __sk_buff *skb, __u32 egress)
{
	g_container c;
	__u32 protocol = packet_wanted_protocol(skb, &c);

	if (protocol == IPPROTO_UDP)
		put_datagram(skb, egress);
	else if (protocol == IPPROTO_TCP)
		put_segment(skb, egress);
}
PACKET_PROGRAMS(see)

static __always_inline void put_timeout(struct bpf_sock *sk, struct query *q, g_container c)
{
	const struct g_process *owner = bpf_sk_storage_get(&g_owners, sk, 0, 0);
	struct dns_event *e;

	if (!q->when || !owner_wanted(owner))
		return;
	e = packet_record_begin(dns, c);
	if (!e)
		return;
	if (owner)
		e->proc = *owner;
	e->qr = Q;
	e->pkt_type = OUTGOING;
	e->timeout = true;
	e->latency_ns = e->timestamp - q->when;
	e->length = q->length;
	e->netns_id =
		BPF_CORE_READ((struct sock *)g_address_of(sk), __sk_common.skc_net.net, ns.inum);
	fill_ends(e, &q->src, &q->dst);
	text_owner_paths(dns, e, owner_paths_of(sk, owner));
	text_kernel_bytes(dns, e, name, q->bytes, q->length, QUERY_BYTES);
	packet_record_submit(dns, e);
	q->when = 0;
}

/* Who asked does not wait any more. */
SEC("cgroup/sock_release")
int closed(struct bpf_sock *sk)
{
	struct queries *all = bpf_sk_storage_get(&asked, sk, 0, 0);
	g_container c;

	if (!all || !wanted_sock((struct sock *)g_address_of(sk), &c))
		return 1;
	for (int i = 0; i < QUERIES; i++)
		put_timeout(sk, &all->open[i], c);
	return 1;
}
