// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Datagrams as they pass sockets, one program for all network namespaces: so both ends are known
 * of sockets without connection too. It may run in an interrupt: container and process are the
 * socket's.
 */
#include <gadget/owner.bpf.h>

GADGET("Show which UDP sockets move how many bytes and datagrams\n"
       "For each interval, what went from and to each process's sockets, by the ends that stood in "
       "the packets; also of sockets without connection, and of multicast. IPv4 and IPv6.",
       ALIAS("udptop") LIMITS(
	       "Bytes are those of the datagrams, without headers. What came when a socket's "
	       "buffer was full is counted as received, although its process never sees it. The "
	       "process is the one that made, connected or last used the socket. Not there are "
	       "datagrams of tunnels (VXLAN, WireGuard) and of raw and packet sockets.")
	       SELFTEST("perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Proto => q(udp), "
			"PeerAddr => q(127.0.0.1), PeerPort => 9); $s->send(q(x) x 1000); sleep 1'",
			"sent==1000,sentDatagrams==1"));

PARAM(__s32, family, -1, "Only this version of IP: 4 or 6; -1: both");

struct udp_key {
	g_container container;
	g_comm comm DOC("Name of the process");
	g_pid pid DOC("Process id");
	g_mntns mntns_id DOC("Mount namespace") COL(hidden);
	struct g_endpoint src DOC("This end; of multicast that was received, the group")
		COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

struct udp_value {
	g_bytes sent DOC("Bytes sent in the interval");
	g_bytes received DOC("Bytes received in the interval");
	__u64 sentDatagrams DOC("Datagrams sent in the interval") COL(hidden, width=13);
	__u64 receivedDatagrams DOC("Datagrams received in the interval") COL(hidden, width=17);
	g_bytes sentRate PER_SECOND(sent) DOC("Bytes sent in a second");
	g_bytes receivedRate PER_SECOND(received) DOC("Bytes received in a second") COL(width=12);
	__u64 sentDatagramRate PER_SECOND(sentDatagrams) DOC("Datagrams sent in a second")
		COL(hidden);
	__u64 receivedDatagramRate PER_SECOND(receivedDatagrams)
		DOC("Datagrams received in a second") COL(hidden);
};
TOP(udp, udp_key, udp_value, 10240, SORT("-sent,-received"));

enum { SOCK_DGRAM = 2 };

/* Raw sockets see UDP too, beside who it is for. */
static __always_inline bool is_datagram_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = packet_whole_sock(skb);

	return sk && sk->type == SOCK_DGRAM;
}

static __always_inline struct udp_value *entry(struct __sk_buff *skb, struct packet *p, bool egress)
{
	struct g_process *owner;
	struct udp_key key;

	top_key_clear(key);
	if (!packet_wanted(skb, &key.container) || !is_datagram_socket(skb) ||
	    !packet_parse(skb, p) || p->src.proto != IPPROTO_UDP ||
	    (family > 0 && p->src.version != family))
		return NULL;
	owner = owner_of_packet(skb);
	if (!owner_wanted(owner))
		return NULL;
	if (owner) {
		g_comm_copy(key.comm, owner->comm);
		key.pid = owner->pid;
		key.mntns_id = owner->mntns_id;
	}
	key.src = egress ? p->src : p->dst;
	key.dst = egress ? p->dst : p->src;
	key.netns_id = packet_netns(skb);
	return top_entry(udp, &key);
}

/* With UDP_SEGMENT and UDP_GRO a packet is several datagrams behind one header. */
static __always_inline __u32 datagrams(const struct __sk_buff *skb)
{
	return skb->gso_segs ?: 1;
}

SEC("cgroup_skb/egress")
int sent(struct __sk_buff *skb)
{
	struct packet p;
	struct udp_value *v = entry(skb, &p, true);

	if (v) {
		__sync_fetch_and_add(&v->sent, p.payload_len);
		__sync_fetch_and_add(&v->sentDatagrams, datagrams(skb));
	}
	return 1;
}

SEC("cgroup_skb/ingress")
int received(struct __sk_buff *skb)
{
	struct packet p;
	struct udp_value *v = entry(skb, &p, false);

	if (v) {
		__sync_fetch_and_add(&v->received, p.payload_len);
		__sync_fetch_and_add(&v->receivedDatagrams, datagrams(skb));
	}
	return 1;
}
