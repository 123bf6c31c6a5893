// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Addresses that IP sockets are bound to. The address is copied when the call begins; where it
 * worked, the socket tells what it got, so that the port is known that the kernel chose.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace sockets as they are bound to an address and port\n"
       "Shows each bind of an IPv4 or IPv6 socket: the address and port that it got, the interface "
       "that it is bound to, and the options that bear on it. Binds that failed, with what was "
       "asked for, are shown with --ignore-errors=false.",
       ALIAS("bindsnoop")
	       LIMITS("A port that the kernel picks without a bind, at a connect or listen, is not "
		      "shown, nor a bind by io_uring (Linux 6.11 and later).")
		       SELFTEST("perl -MIO::Socket::INET -e 'IO::Socket::INET->new(Listen => 1, "
				"LocalAddr => q(127.0.0.1))'",
				"addr.addr==127.0.0.1,addr.port>0"));

PARAM(bool, ignore_errors, true, "Leave out binds that failed");
PARAM_TEXT(ports, 128, "Show only these ports: 80,443,8000-8080");
PARAM_TEXT(interface, 16, "Show only sockets that are bound to this network interface");

enum bind_option_set {
	freebind = 1,
	transparent = 2,
	bind_address_no_port = 4,
	reuseaddress = 8,
	reuseport = 16,
};

struct bind_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	struct g_endpoint addr DOC("Address and port: of a bind that worked those it got")
		COL(
		width=28);
	g_errno error DOC("Why the bind failed") COL(width=14);
	enum bind_option_set opts DOC("Options of the socket that bear on binds")
		COL(width=24, skip-empty);
	char bound_dev[16] DOC("Network interface that the socket is bound to; empty: any");
	__u32 bound_dev_if DOC("The same as a number; 0: any") COL(hidden);
	g_fd fd DOC("Descriptor of the socket") COL(hidden);
	g_netns netns_id DOC("Network namespace of the socket") COL(hidden);
};
TRACER(bind, bind_event, 0);

struct bind_call {
	g_container container;
	g_fd fd;
	union g_sockaddr address;
};
PENDING(calls, bind_call);

/* ---- kernel types --------------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock_common___options {
	unsigned char skc_reuse : 4, skc_reuseport : 1;
	int skc_bound_dev_if;
};
struct inet_sock___6_6 {
	unsigned long inet_flags;
};
struct inet_sock___6_5 {
	__u8 freebind : 1, transparent : 1, bind_address_no_port : 1;
};
struct net_device {
	char name[16];
	int ifindex;
	struct hlist_node index_hlist;
};
struct net___devices {
	struct hlist_head *dev_index_head; /* NETDEV_HASHENTRIES of them */
};
#pragma clang attribute pop

/* Bits of inet_flags, include/net/inet_sock.h. */
enum { INET_FLAGS_FREEBIND = 11, INET_FLAGS_TRANSPARENT = 15, INET_FLAGS_BIND_NO_PORT = 18 };

enum { NETDEV_HASHENTRIES = 256, MAX_CHAIN = 64, SOCK_RAW = 3 };

/* ---- what is asked for ---------------------------------------------------------------------- */

/* `ports` is a constant of the program; what is not a list of numbers and ranges matches nothing.
 */
static __noinline bool port_wanted(__u32 port)
{
	__u32 number = 0, from = 0;
	bool range = false, found = false;

	if (!ports[0])
		return true;
	for (int i = 0; i < sizeof(ports); i++) {
		char c = ports[i];

		if (c >= '0' && c <= '9') {
			number = number * 10 + (c - '0');
		} else if (c == '-') {
			from = number;
			number = 0;
			range = true;
		} else {
			found |= port == number || (range && port >= from && port <= number);
			number = 0;
			range = false;
		}
		if (!c)
			break;
	}
	return found;
}

static __always_inline bool interface_wanted(const char *name)
{
	for (int i = 0; interface[0] && i < sizeof(interface); i++) {
		if (name[i] != interface[i])
			return false;
		if (!name[i])
			break;
	}
	return true;
}

/* ---- the socket ------------------------------------------------------------------------------ */

static __always_inline __u32 options_of(const struct sock *sk)
{
	const struct sock_common___options *common = (const void *)&sk->__sk_common;
	const struct inet_sock___6_6 *inet = (const void *)sk;
	const struct inet_sock___6_5 *until_6_5 = (const void *)sk;
	__u32 opts = 0;
	__u64 flags;

	if (BPF_CORE_READ_BITFIELD_PROBED(common, skc_reuse))
		opts |= reuseaddress;
	if (BPF_CORE_READ_BITFIELD_PROBED(common, skc_reuseport))
		opts |= reuseport;
	if (bpf_core_field_exists(inet->inet_flags)) {
		flags = BPF_CORE_READ(inet, inet_flags);
		opts |= flags >> INET_FLAGS_FREEBIND & 1 ? freebind : 0;
		opts |= flags >> INET_FLAGS_TRANSPARENT & 1 ? transparent : 0;
		opts |= flags >> INET_FLAGS_BIND_NO_PORT & 1 ? bind_address_no_port : 0;
		return opts;
	}
	opts |= BPF_CORE_READ_BITFIELD_PROBED(until_6_5, freebind) ? freebind : 0;
	opts |= BPF_CORE_READ_BITFIELD_PROBED(until_6_5, transparent) ? transparent : 0;
	opts |= BPF_CORE_READ_BITFIELD_PROBED(until_6_5, bind_address_no_port)
			? bind_address_no_port
			: 0;
	return opts;
}

/* The interface by its number, as the kernel's dev_get_by_index_rcu() finds it. */
static __always_inline void fill_interface(struct bind_event *e, const struct sock *sk)
{
	const struct sock_common___options *common = (const void *)&sk->__sk_common;
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct net___devices *devices = (const void *)net;
	struct hlist_head *heads;
	struct hlist_node *node = NULL;
	struct net_device *dev;

	e->bound_dev_if = BPF_CORE_READ(common, skc_bound_dev_if);
	if (!e->bound_dev_if)
		return;
	heads = BPF_CORE_READ(devices, dev_index_head);
	bpf_probe_read_kernel(&node, sizeof(node),
			      heads + (e->bound_dev_if & (NETDEV_HASHENTRIES - 1)));
	for (int i = 0; node && i < MAX_CHAIN; i++) {
		dev = (void *)node - bpf_core_field_offset(struct net_device, index_hlist);
		if (BPF_CORE_READ(dev, ifindex) == e->bound_dev_if) {
			bpf_core_read_str(e->bound_dev, sizeof(e->bound_dev), &dev->name);
			return;
		}
		node = BPF_CORE_READ(node, next);
	}
}

/* What was asked for; where it worked, what the socket got. A raw socket has no port. */
static __always_inline void fill_address(struct bind_event *e, const struct bind_call *call,
					 const struct sock *sk, const struct g_sock_copy *copy)
{
	struct g_endpoint remote;
	__u8 proto = BPF_CORE_READ(sk, sk_protocol);

	e->addr.proto = proto;
	if (e->error || BPF_CORE_READ(sk, sk_type) == SOCK_RAW)
		sockaddr_endpoint(&call->address, proto, &e->addr);
	else
		sock_endpoints(sk, copy, proto, &e->addr, &remote);
}

SEC("tp/syscalls/sys_enter_bind")
int enter_bind(struct syscall_enter *ctx)
{
	const void *address = (const void *)ctx->args[1];
	struct bind_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->fd = ctx->args[0];
	__builtin_memset(&call->address, 0, sizeof(call->address));
	if (bpf_probe_read_user(&call->address, sizeof(call->address), address))
		bpf_probe_read_user(&call->address.in, sizeof(call->address.in), address);
	return 0;
}

SEC("tp/syscalls/sys_exit_bind")
int exit_bind(struct syscall_exit *ctx)
{
	struct bind_call *call = pending_end(calls);
	struct g_sock_copy copy;
	struct bind_event *e;
	struct sock *sk;

	if (!call || (ignore_errors && ctx->ret))
		return 0;
	sk = sock_of_fd(call->fd);
	sock_copy(&copy, sk);
	if (!sk || !sock_is_ip(&copy))
		return 0;
	e = record_begin(bind, call->container);
	if (!e)
		return 0;
	e->error = -ctx->ret;
	e->fd = call->fd;
	fill_address(e, call, sk, &copy);
	fill_interface(e, sk);
	if (!port_wanted(e->addr.port) || !interface_wanted(e->bound_dev))
		return 0;
	e->opts = options_of(sk);
	e->netns_id = sock_netns(&copy);
	process_fill(&e->proc);
	record_submit(bind, e);
	return 0;
}
