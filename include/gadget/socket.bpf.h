/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Sockets: which one stands behind a descriptor, its kind, its ends. Pointers are plain kernel
 * addresses, so that all of it works in any program; a NULL socket is harmless.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* Of a file that is a socket for certain. */
static __always_inline struct socket *socket_of_file(const struct file *file)
{
	return BPF_CORE_READ(file, private_data);
}

/* The socket behind the current process's descriptor; NULL: none such, or not a socket. */
static __always_inline struct sock *sock_of_fd(int fd)
{
	struct file *file = file_of_fd(fd);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = socket_of_file(file);
	return BPF_CORE_READ(socket, sk);
}

/*
 * A copy of the first of what all kinds of socket have in common, so that its many fields cost one
 * read (a read of kernel memory costs 80 ns, however short). SOCK_FIELD() finds a field in the
 * copy.
 */
struct g_sock_copy {
	char bytes[96];
} __attribute__((aligned(8)));

#define g_sock_offset(field) bpf_core_field_offset(struct sock_common, field)
#define SOCK_FIELD(copy, field) \
	(*(__typeof__(((struct sock_common *)0)->field) *)((copy)->bytes + g_sock_offset(field)))

static __always_inline void sock_copy(struct g_sock_copy *copy, const struct sock *sk)
{
	bpf_probe_read_kernel(copy, sizeof(*copy), &sk->__sk_common);
}

static __always_inline bool sock_is_ip(const struct g_sock_copy *copy)
{
	return SOCK_FIELD(copy, skc_family) == AF_INET || SOCK_FIELD(copy, skc_family) == AF_INET6;
}

static __always_inline bool sock_is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline void g_endpoint_ipv4(struct g_endpoint *end, __be32 address)
{
	__u32 *words = (__u32 *)end->addr;

	words[0] = words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
	end->version = 4;
}

static __always_inline void g_endpoint_ipv6(struct g_endpoint *end, const struct in6_addr *address)
{
	const __u32 *from = (const __u32 *)address;
	__u32 *words = (__u32 *)end->addr;

	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
	/* An IPv6 socket that talks IPv4. */
	end->version = !words[0] && !words[1] && words[2] == bpf_htonl(0xffff) ? 4 : 6;
}

/* This end and the other one. A socket that has lost its port keeps the number elsewhere. */
static __always_inline void sock_endpoints(const struct sock *sk, const struct g_sock_copy *copy,
					   __u8 proto, struct g_endpoint *local,
					   struct g_endpoint *remote)
{
	if (SOCK_FIELD(copy, skc_family) == AF_INET6) {
		g_endpoint_ipv6(local, &SOCK_FIELD(copy, skc_v6_rcv_saddr));
		g_endpoint_ipv6(remote, &SOCK_FIELD(copy, skc_v6_daddr));
	} else {
		g_endpoint_ipv4(local, SOCK_FIELD(copy, skc_rcv_saddr));
		g_endpoint_ipv4(remote, SOCK_FIELD(copy, skc_daddr));
	}
	local->port = SOCK_FIELD(copy, skc_num);
	if (!local->port)
		local->port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	remote->port = bpf_ntohs(SOCK_FIELD(copy, skc_dport));
	local->proto = remote->proto = proto;
}

static __always_inline g_netns sock_netns(const struct g_sock_copy *copy)
{
	struct net *net = SOCK_FIELD(copy, skc_net.net);

	return BPF_CORE_READ(net, ns.inum);
}

/* What a process passes to connect(), bind() and others; false: not IP. */
union g_sockaddr {
	unsigned short family;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static __always_inline bool sockaddr_endpoint(const union g_sockaddr *address, __u8 proto,
					      struct g_endpoint *end)
{
	end->proto = proto;
	end->port = bpf_ntohs(address->in.sin_port);
	if (address->family == AF_INET)
		g_endpoint_ipv4(end, address->in.sin_addr.s_addr);
	else if (address->family == AF_INET6)
		g_endpoint_ipv6(end, &address->in6.sin6_addr);
	else
		return false;
	return true;
}
