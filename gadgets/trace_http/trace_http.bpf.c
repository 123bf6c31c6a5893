// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * A connection is followed from the first request that is seen on it: where its messages begin and
 * end (message.bpf.h), and which request an answer belongs to, by their order. The heads of both
 * are copied; what stands in them the host decodes: head.c.
 */
#include <gadget/owner.bpf.h>

#include "connection.bpf.h"

GADGET("Trace requests over HTTP/1.0 and HTTP/1.1 and how they are answered\n"
       "A record for each request, when the head of its answer has come: who asked which server "
       "for what, the status, and how long that took; of one without answer, when the connection "
       "is closed. On any port, IPv4 and IPv6, as a client and as a server; where both ends are in "
       "wanted containers, each has its own record. Answers are matched by their order on the "
       "connection; those that are only interim (100 Continue …) are passed over. Of bodies only "
       "the length is looked at.",
       LIMITS("What is encrypted is not seen (trace_ssl shows it), nor HTTP/2 and HTTP/3, "
	      "HTTP/0.9, and what follows an Upgrade or CONNECT. Where segments are missing in "
	      "a head, or out of order, what was open on the connection is counted as lost. From "
	      "there on, and on a connection that is older than the gadget, a segment that begins "
	      "like a request is taken for one, be it in a body. Of a request's head 4 KiB are "
	      "read, of an answer's 1 KiB, and less where many requests wait for answers on one "
	      "connection; of more than 16 the others are counted as lost. Of a server the "
	      "process is the one that listens; Linux 5.10 cannot tell it where that was there "
	      "before.")
	       SELFTEST("(sleep 1; perl -MIO::Socket::INET -e '"
			"$s = IO::Socket::INET->new(\"127.0.0.1:8037\"); "
			"print $s \"GET /selftest HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\"; <$s>') & "
			"perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(LocalAddr => "
			"\"127.0.0.1\", LocalPort => 8037, Listen => 1); $c = $l->accept; <$c>; "
			"print $c \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"'",
			"path==/selftest"));
PACKET_TRACER_RING(http, http_event, HTTP_REQUEST_MAX + HTTP_ANSWER_MAX, 4 << 20);

enum { STEPS = 32 /* in a segment, squared */ };

/* ---- records -------------------------------------------------------------------------------- */

static __always_inline void put(struct connection *c, struct request *r,
				const struct g_process *owner, __u64 netns, bool answered)
{
	volatile struct message *answer = &c->messages[ANSWERS];
	struct http_event *e;

	if (!owner_wanted(owner))
		return;
	e = packet_record_begin(http, c->container);
	if (!e)
		return;
	if (owner)
		e->proc = *owner;
	e->role = c->role;
	e->client = c->client;
	e->server = c->server;
	e->netns_id = netns;
	e->unanswered = !answered;
	e->latency_ns = (answered ? answer->since : e->timestamp) - r->since;
	e->content_length = -1;
	text_kernel_bytes(http, e, path, c->bytes + r->at, r->stored, HTTP_REQUEST_MAX);
	if (r->stored < r->length)
		e->path.length |= G_TRUNCATED;
	if (answered) {
		__u32 length = answer->length;

		e->status = answer->status;
		if (answer->has_length && !answer->chunked)
			e->content_length = answer->number;
		text_kernel_bytes(http, e, reason, c->bytes + ANSWERS_AT, length, HTTP_ANSWER_MAX);
	}
	packet_record_submit(http, e);
}

/* ---- answers -------------------------------------------------------------------------------- */

static __always_inline bool has_body(const struct request *r, __u32 status)
{
	return status != 204 && status != 304 && !(r && r->is_head);
}

/* The head of one that is final is there; r: of what. */
static __always_inline void end_answer(struct connection *c, const struct request *r)
{
	volatile struct message *m = &c->messages[ANSWERS];
	__u32 status = m->status;

	if (status == 101 || (r && r->is_connect && status / 100 == 2)) {
		c->messages[REQUESTS].state = m->state = MESSAGE_NONE;
	} else if (!has_body(r, status)) {
		m->state = MESSAGE_START;
	} else if (!m->chunked && !m->has_length) {
		m->state = MESSAGE_NONE; /* the body ends with the connection */
	} else {
		message_body(m);
	}
}

/* A global function, which the verifier looks at once. */
__noinline int put_answer(struct __sk_buff *skb)
{
	struct connection *c = connection_of(skb, 0);
	struct request *r = NULL;
	__u32 status;

	if (!c)
		return 0;
	status = c->messages[ANSWERS].status;
	if (status / 100 == 1 && status != 101) {
		c->messages[ANSWERS].state = MESSAGE_START;
		return 0;
	}
	if (open_requests(c)) {
		r = request_at(c, c->popped);
		put(c, r, owner_of_packet(skb), packet_netns(skb), true);
		c->answered = true;
	} else if (c->skipped) {
		__sync_fetch_and_add(&c->skipped, -1);
	}
	end_answer(c, r);
	if (r)
		c->popped++;
	return 0;
}

/* ---- segments ------------------------------------------------------------------------------- */

/*
 * Up to PIECE bytes of the packet to where their head is kept, or beside it where they are only
 * looked at. Where in c->bytes, << 16, and how many.
 */
static __always_inline __u32 take_piece(struct __sk_buff *skb, struct connection *c, bool answer)
{
	volatile struct message *m = &c->messages[answer];
	const struct request *r = request_at(c, c->pushed - 1);
	__u64 to = answer ? ANSWERS_AT + HTTP_ANSWER_MAX : REQUESTS_ROOM;
	__u64 n = m->left < PIECE ? m->left : PIECE, room = 0;

	if (m->state == MESSAGE_HEAD) {
		__u32 length = m->length, all = answer ? HTTP_ANSWER_MAX : c->room;

		if (length < all) {
			room = all - length;
			to = answer ? ANSWERS_AT + length : r->at + length;
		}
	}
	if (room && n > room)
		n = room;
	barrier_var(to);
	if (to > BYTES - PIECE || g_packet_load(skb, m->at, c->bytes + to, n, PIECE) <= 0)
		return 0;
	return to << 16 | n;
}

/* The head that is coming is longer by so many bytes. */
static __always_inline void head_grows(struct connection *c, bool answer, __u32 n)
{
	volatile struct message *m = &c->messages[answer];
	struct request *r = request_at(c, c->pushed - 1);
	__u32 length = m->length + n;

	m->length = length;
	if (length > HEAD_BYTES_MAX)
		m->event = EVENT_BAD;
	if (answer || c->skipped)
		return;
	r->length = length;
	r->stored = length < c->room ? length : c->room;
}

/* Looks at the next bytes of the packet, up to where a line ends. How many. */
__noinline int look_at_bytes(struct __sk_buff *skb, __u32 answer)
{
	struct connection *c = connection_of(skb, 0);
	volatile struct message *m;
	__u32 piece, n;
	__u64 from;

	answer &= 1;
	if (!c)
		return 0;
	m = &c->messages[answer];
	piece = take_piece(skb, c, answer);
	from = piece >> 16;
	barrier_var(from);
	if (from > BYTES - PIECE)
		return 0;
	n = look_for_line(m, c->bytes + from, piece & 0xffff);
	if (m->state == MESSAGE_HEAD)
		head_grows(c, answer, n);
	return n;
}

/* A line has come to its end. */
__noinline int end_line(struct __sk_buff *skb, __u32 answer)
{
	struct connection *c = connection_of(skb, 0);
	volatile struct message *m;

	answer &= 1;
	if (!c)
		return 0;
	m = &c->messages[answer];
	read_line(m, answer);
	if (m->state == MESSAGE_HEAD && !answer) {
		struct request *r = request_at(c, c->pushed - 1);

		r->is_head = m->is_head;
		r->is_connect = m->is_connect;
	}
	return 0;
}

/* A message begins here. False: none does. */
static __always_inline bool begin_message(struct connection *c, bool answer, enum message_kind kind)
{
	if (kind != KIND_EITHER && kind != (answer ? KIND_ANSWER : KIND_REQUEST))
		return false;
	if (answer)
		message_begin(&c->messages[ANSWERS]);
	else
		begin_request(c);
	return true;
}

/* What was taken for a message is none. */
static __always_inline void is_none(struct __sk_buff *skb, struct connection *c, bool answer)
{
	if (!answer)
		take_back(c);
	else if (c->answered)
		lose(skb, answer);
	else /* who answers does not speak HTTP */
		c->messages[REQUESTS].state = c->messages[ANSWERS].state = MESSAGE_NONE;
}

/* Where a message had to begin there is none: what lies between requests is nobody's. */
static __always_inline void not_begun(struct __sk_buff *skb, struct connection *c, bool answer)
{
	if (answer)
		is_none(skb, c, answer);
	else
		c->messages[REQUESTS].state = MESSAGE_LOST;
}

/* Looks at the next bytes; how many. */
static __always_inline __u32 next_bytes(struct __sk_buff *skb, struct connection *c, bool answer)
{
	volatile struct message *m = &c->messages[answer];
	__u32 n;

	m->event = EVENT_NONE;
	n = look_at_bytes(skb, answer);
	if (m->event == EVENT_LINE)
		end_line(skb, answer);
	if (!n)
		lose(skb, answer); /* the packet could not be read */
	else if (m->event == EVENT_BAD)
		is_none(skb, c, answer);
	else if (m->event == EVENT_HEAD && m->state == MESSAGE_TRAILER)
		m->state = MESSAGE_START;
	else if (m->event == EVENT_HEAD && answer)
		put_answer(skb);
	else if (m->event == EVENT_HEAD)
		message_body(m);
	return n;
}

/* The next part of the segment. How much is left; less than before, unless something is wrong. */
__noinline int step(struct __sk_buff *skb, __u32 answer)
{
	struct connection *c = connection_of(skb, 0);
	volatile struct message *m;
	enum message_kind kind;
	__u32 n;

	answer &= 1;
	if (!c)
		return 0;
	m = &c->messages[answer];
	if (m->state >= MESSAGE_LOST)
		return m->left = 0;
	n = m->skip < m->left ? m->skip : m->left;
	if (n) {
		m->skip -= n;
	} else {
		kind = m->state == MESSAGE_START ? kind_at(skb, m->at, m->left) : KIND_OTHER;
		if (kind == KIND_BLANK && !answer) /* RFC 9112, 2.2 */
			n = 1;
		else if (m->state == MESSAGE_START && !begin_message(c, answer, kind))
			not_begun(skb, c, answer);
		else
			n = next_bytes(skb, c, answer);
	}
	m->at += n;
	m->left -= n;
	return n ? m->left : 0;
}

/* False: nothing is left. In two loops, of which the verifier goes through each but once. */
__noinline int steps(struct __sk_buff *skb, __u32 answer)
{
	for (int i = 0; i < STEPS; i++)
		if (!step(skb, answer))
			return false;
	return true;
}

/*
 * Which bytes of the segment are new: m->at and m->left. What is missing before them does no harm
 * in a body.
 */
static __always_inline void new_bytes(struct __sk_buff *skb, struct connection *c,
				      const struct packet *p, bool answer)
{
	volatile struct message *m = &c->messages[answer];
	__u32 end = p->seq + p->payload_len;
	__s32 missing = m->known ? p->seq - m->next : 0;

	m->left = 0;
	if (m->known && (__s32)(end - m->next) <= 0)
		return;
	m->at = p->payload - (missing < 0 ? missing : 0);
	m->left = p->payload_len + (missing < 0 ? missing : 0);
	if (missing > 0 && m->skip >= missing)
		m->skip -= missing;
	else if (missing > 0 && m->state != MESSAGE_NONE)
		lose(skb, answer);
	m->known = true;
	m->next = end;
}

/* True: the socket's connection is the packet's, and not one that a listener has passed on. */
static __always_inline bool is_of(const struct connection *c, const struct packet *p, bool egress)
{
	return same_end(&c->client, egress == (c->role == CLIENT) ? &p->src : &p->dst);
}

static __always_inline bool is_request(enum message_kind kind)
{
	return kind == KIND_REQUEST || kind == KIND_EITHER;
}

/* NULL: nothing is known of the packet's connection, and this is not how a request begins. */
static __always_inline struct connection *
find_connection(struct __sk_buff *skb, const struct packet *p, bool egress, g_container container)
{
	struct connection *c = connection_of(skb, 0);

	if (c && is_of(c, p, egress))
		return c;
	if (!is_request(kind_at(skb, p->payload, p->payload_len)))
		return NULL;
	c = connection_of(skb, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (c)
		connection_begin(c, p, egress);
	else
		record_lost(container);
	return c;
}

/*
 * False: nothing is known of the stream, and the segment begins no message. It may turn out that
 * the other end is the client.
 */
static __always_inline bool find_message(struct __sk_buff *skb, struct connection *c,
					 const struct packet *p, bool egress, bool *answer)
{
	volatile struct message *m = &c->messages[*answer];
	enum message_kind kind = kind_at(skb, m->at, m->left);

	if (*answer && kind == KIND_REQUEST && !c->answered) {
		connection_begin(c, p, egress);
		new_bytes(skb, c, p, false);
		*answer = false;
		return true;
	}
	if (m->state == MESSAGE_START)
		return true;
	if (kind != KIND_EITHER && kind != (*answer ? KIND_ANSWER : KIND_REQUEST))
		return false;
	m->state = MESSAGE_START;
	return true;
}

/* The stream is where a message should begin, or may. */
static __always_inline bool is_at_message(volatile struct message *m)
{
	return m->state == MESSAGE_LOST || (m->state == MESSAGE_START && !m->skip);
}

__noinline int follow(struct __sk_buff *skb, __u32 egress)
{
	struct connection *c;
	g_container container;
	struct packet p;
	bool answer;

	egress &= 1;
	if (!packet_wanted(skb, &container) || !packet_parse(skb, &p) || !p.payload_len)
		return 0;
	c = find_connection(skb, &p, egress, container);
	if (!c)
		return 0;
	c->container = container;
	answer = egress == (c->role == SERVER);
	new_bytes(skb, c, &p, answer);
	if (!c->messages[answer].left ||
	    (is_at_message(&c->messages[answer]) && !find_message(skb, c, &p, egress, &answer)))
		return 0;
	for (int i = 0; i < STEPS; i++)
		if (!steps(skb, answer))
			return 0;
	lose(skb, answer); /* too much in one segment */
	return 0;
}

/* What is not wanted leaves here. */
static __always_inline void see(struct __sk_buff *skb, __u32 egress)
{
	g_container c;

	if (packet_wanted_protocol(skb, &c) == IPPROTO_TCP)
		follow(skb, egress);
}
PACKET_PROGRAMS(see)

/* Of a connection that is closed: the oldest request that is open. */
static __noinline int put_open(struct bpf_sock *sk)
{
	struct connection *c = bpf_sk_storage_get(&connections, sk, 0, 0);
	const struct g_process *owner = bpf_sk_storage_get(&g_owners, sk, 0, 0);
	struct sock *sock = (struct sock *)g_address_of(sk);
	volatile struct message *answer;
	bool answered;

	if (!c)
		return 0;
	/* Of the last one maybe not even a line has come, which could say that it is one. */
	if (open_requests(c) == 1 && !c->messages[REQUESTS].line) {
		c->popped++;
		return 0;
	}
	/* The head of its answer may have come in part. */
	answer = &c->messages[ANSWERS];
	answered = answer->state == MESSAGE_HEAD && answer->line && answer->status / 100 > 1;
	answer->state = MESSAGE_NONE;
	put(c, request_at(c, c->popped), owner,
	    BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum), answered);
	c->popped++;
	return 0;
}

SEC("cgroup/sock_release")
int closed(struct bpf_sock *sk)
{
	struct connection *c = bpf_sk_storage_get(&connections, sk, 0, 0);
	struct sock *sock = (struct sock *)g_address_of(sk);
	const struct g_endpoint *peer;
	g_container container;

	if (!c || !wanted_sock(sock, &container))
		return 1;
	peer = c->role == CLIENT ? &c->server : &c->client;
	if (bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport)) != peer->port)
		return 1; /* a listener's, or passed on by one */
	for (int i = 0; i < OPEN_MAX; i++)
		if (open_requests(c))
			put_open(sk);
	return 1;
}
