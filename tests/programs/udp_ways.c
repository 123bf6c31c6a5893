// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: udp_ways KIND ADDRESS PORT COUNT BYTES sends COUNT datagrams of BYTES bytes to
 * receivers that are at ADDRESS:PORT, and receives them. KIND:
 *   connected, unconnected   from such a socket to another one
 *   multicast                to a group; two sockets are in it
 *   segments                 all in one call, which the kernel cuts (UDP_SEGMENT)
 *   overheard                connected, and a raw socket sees it too
 */
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static struct addrinfo *to;
static const char *kind;

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static int made(void)
{
	return must(socket(to->ai_family, SOCK_DGRAM, 0), "socket");
}

static void set(int fd, int level, int option, const void *value, socklen_t bytes)
{
	must(setsockopt(fd, level, option, value, bytes), "setsockopt");
}

/* Of a group: an IPv6 address may say it ("%v0"), else it is lo. */
static int interface(void)
{
	int scope = to->ai_family == AF_INET6
			    ? (int)((struct sockaddr_in6 *)to->ai_addr)->sin6_scope_id
			    : 0;

	return scope ? scope : (int)if_nametoindex("lo");
}

static void join_group(int fd)
{
	int one = 1;

	set(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (to->ai_family == AF_INET6) {
		struct ipv6_mreq m = {.ipv6mr_interface = (unsigned int)interface()};

		m.ipv6mr_multiaddr = ((struct sockaddr_in6 *)to->ai_addr)->sin6_addr;
		set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m));
	} else {
		struct ip_mreqn m = {.imr_ifindex = interface()};

		m.imr_multiaddr = ((struct sockaddr_in *)to->ai_addr)->sin_addr;
		set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
	}
}

static void send_over(int fd, int ifindex)
{
	struct ip_mreqn m = {.imr_ifindex = ifindex};

	if (to->ai_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex));
	else
		set(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m));
}

static int receiver(void)
{
	int fd = made();

	if (!strcmp(kind, "multicast"))
		join_group(fd);
	must(bind(fd, to->ai_addr, to->ai_addrlen), "bind");
	return fd;
}

static int sender(int bytes)
{
	int fd = made();

	if (!strcmp(kind, "multicast"))
		send_over(fd, interface());
	else if (strcmp(kind, "unconnected"))
		must(connect(fd, to->ai_addr, to->ai_addrlen), "connect");
	if (!strcmp(kind, "segments"))
		set(fd, IPPROTO_UDP, UDP_SEGMENT, &bytes, sizeof(bytes));
	return fd;
}

static void send_all(int fd, int count, int bytes)
{
	static const char zeroes[65536];
	bool named = !strcmp(kind, "unconnected") || !strcmp(kind, "multicast");

	if (!strcmp(kind, "segments")) {
		bytes *= count;
		count = 1;
	}
	while (count--)
		must((int)sendto(fd, zeroes, (size_t)bytes, 0, named ? to->ai_addr : NULL,
				 named ? to->ai_addrlen : 0),
		     "sendto");
}

static void receive(int fd, int count, int bytes)
{
	char got[65536];

	for (int i = 0; i < count; i++)
		if (must((int)recv(fd, got, sizeof(got), 0), "recv") != bytes)
			exit(3);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};

	if (argc != 6 || getaddrinfo(argv[2], argv[3], &hints, &to))
		return 2;
	kind = argv[1];
	int count = atoi(argv[4]), bytes = atoi(argv[5]);
	int both[2] = {receiver(), -1}, from = sender(bytes);

	if (!strcmp(kind, "multicast"))
		both[1] = receiver();
	if (!strcmp(kind, "overheard"))
		must(socket(to->ai_family, SOCK_RAW, IPPROTO_UDP), "raw socket");
	send_all(from, count, bytes);
	for (int i = 0; i < 2 && both[i] >= 0; i++)
		receive(both[i], count, bytes);
	return 0;
}
