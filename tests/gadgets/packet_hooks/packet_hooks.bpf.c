// SPDX-License-Identifier: GPL-2.0
/* Payload and owner of each packet; owners as a raw tracepoint sees them. */
#include <gadget/owner.bpf.h>

GADGET("Packets and their sockets' owners");

struct packet_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src, dst;
	g_bool egress;
	g_text data;
};
PACKET_TRACER(packets, packet_event, 4096);

static __always_inline void see(struct __sk_buff *skb, bool egress)
{
	struct packet_event *e;
	struct g_process *owner;
	struct packet p;
	g_container c;

	if (!packet_wanted(skb, &c) || !packet_parse(skb, &p) || !p.payload_len)
		return;
	owner = owner_of_packet(skb);
	if (!owner_wanted(owner))
		return;
	e = packet_record_begin(packets, c);
	if (!e)
		return;
	if (owner)
		e->proc = *owner;
	e->src = p.src;
	e->dst = p.dst;
	e->egress = egress;
	text_packet(packets, e, data, skb, p.payload, p.payload_len, 4096);
	packet_record_submit(packets, e);
}
PACKET_PROGRAMS(see)

struct state_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint src, dst;
	g_tcp_state state;
	g_bool known; /* its owner */
};
TRACER(states, state_event, 0);

/* inet_sock_set_state(const struct sock *sk, int old, int new) */
SEC("raw_tp/inet_sock_set_state")
int changed(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	struct state_event *e;
	struct g_sock_copy copy;
	g_container c;

	if (!wanted_sock(sk, &c))
		return 0;
	e = record_begin_softirq(states, c);
	if (!e)
		return 0;
	e->state = ctx->args[2];
	sock_copy(&copy, sk);
	sock_endpoints(sk, &copy, IPPROTO_TCP, &e->src, &e->dst);
	e->known = owner_of_sock(sk, &e->proc);
	record_submit(states, e);
	return 0;
}
