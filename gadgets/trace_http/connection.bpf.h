/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What is known of a connection that HTTP goes over: its two streams of messages, and the requests
 * that have no answer yet, with their heads. It lies at the socket, and goes with that.
 */
#pragma once

#include "message.bpf.h"
#include "trace_http.h"

enum { REQUESTS = 0, ANSWERS = 1 };
enum { OPEN_MAX = 16 };

/* Where heads are kept. Behind either place there is room for what is only looked at. */
enum {
	REQUESTS_ROOM = 4608,
	ANSWERS_AT = REQUESTS_ROOM + PIECE,
	BYTES = ANSWERS_AT + HTTP_ANSWER_MAX + PIECE,
};

/* A request that has no answer yet. */
struct request {
	__u64 since;
	__u32 at, stored; /* its head */
	__u32 length;
	__u8 is_head, is_connect;
};

/*
 * Requests are put into their queue by packets of one direction, and taken out by those of the
 * other, maybe at the same time: each has a counter of its own, and fields of `messages`.
 */
struct connection {
	struct message messages[2];
	struct request open[OPEN_MAX];
	volatile __u32 pushed, popped;
	volatile __u32 skipped; /* requests that had no room in the queue, behind those in it */
	volatile __u32 room;	/* where the head that is coming may lie */
	volatile __u32 answered;
	enum http_role role;
	struct g_endpoint client, server;
	g_container container;
	char bytes[BYTES];
};

/* BPF_F_CLONE: a listener with TCP_DEFER_ACCEPT gets the first request in place of its child. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

static __always_inline struct connection *connection_of(struct __sk_buff *skb, __u64 how)
{
	struct bpf_sock *sk = packet_whole_sock(skb);

	return sk ? bpf_sk_storage_get(&connections, sk, 0, how) : NULL;
}

static __always_inline bool same_end(const struct g_endpoint *a, const struct g_endpoint *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && a->port == b->port;
}

static __always_inline struct request *request_at(struct connection *c, __u32 number)
{
	return &c->open[number & (OPEN_MAX - 1)];
}

/* The packet has the first request. */
static __always_inline void connection_begin(struct connection *c, const struct packet *p,
					     bool egress)
{
	__builtin_memset(c->messages, 0, sizeof(c->messages));
	c->messages[ANSWERS].next = p->ack;
	c->messages[ANSWERS].known = true;
	c->pushed = c->popped = c->skipped = c->answered = 0;
	c->role = egress ? CLIENT : SERVER;
	c->client = p->src;
	c->server = p->dst;
}

/* ---- the queue of requests ------------------------------------------------------------------ */

/*
 * How many requests wait for answers. Where segments were missing, both directions may have taken
 * the same ones out, at the same time: then there are none.
 */
static __always_inline __u32 open_requests(const struct connection *c)
{
	__u32 open = c->pushed - c->popped;

	return open <= OPEN_MAX ? open : 0;
}

/*
 * A segment is missing, or this is no HTTP: what was open cannot be told any more. A global
 * function, which the verifier looks at once.
 */
__noinline int lose(struct __sk_buff *skb, __u32 answer)
{
	struct connection *c = connection_of(skb, 0);
	volatile struct message *m;
	__u32 open;

	answer &= 1;
	if (!c)
		return 0;
	m = &c->messages[answer];
	open = open_requests(c);
	/* What is missing may be a request. */
	if (!open && !answer && m->state != MESSAGE_LOST)
		record_lost(c->container);
	for (int i = 0; i < OPEN_MAX; i++)
		if (i < open)
			record_lost(c->container);
	c->popped = c->pushed;
	c->skipped = 0;
	m->state = MESSAGE_LOST;
	m->skip = 0;
	return 0;
}

/* A place for a head, behind the last one or before the oldest: r->at and c->room. */
static __always_inline void find_place(struct connection *c, struct request *r)
{
	__u32 pushed = c->pushed, popped = c->popped, at = 0, oldest = 0, room = REQUESTS_ROOM;

	if (open_requests(c)) {
		const struct request *last = request_at(c, pushed - 1);

		at = last->at + last->stored;
		oldest = request_at(c, popped)->at;
		room = at > oldest ? REQUESTS_ROOM - at : oldest - at;
		if (at > oldest && oldest > room) {
			at = 0;
			room = oldest;
		}
	}
	r->at = at;
	c->room = room < HTTP_REQUEST_MAX ? room : HTTP_REQUEST_MAX;
}

static __always_inline void begin_request(struct connection *c)
{
	struct request *r = request_at(c, c->pushed);

	c->room = 0;
	message_begin(&c->messages[REQUESTS]);
	if (c->skipped || open_requests(c) == OPEN_MAX) {
		__sync_fetch_and_add(&c->skipped, 1);
		record_lost(c->container);
		return;
	}
	if (!open_requests(c))
		c->popped = c->pushed;
	find_place(c, r);
	r->since = c->messages[REQUESTS].since;
	r->stored = r->length = 0;
	r->is_head = r->is_connect = false;
	c->pushed++;
}

/* Its first line says that it is none. */
static __always_inline void take_back(struct connection *c)
{
	if (c->skipped)
		__sync_fetch_and_add(&c->skipped, -1);
	else if (open_requests(c))
		c->pushed--;
	c->messages[REQUESTS].state = MESSAGE_LOST;
}
