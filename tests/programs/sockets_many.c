// SPDX-License-Identifier: Apache-2.0
/*
 * sockets_many [own]: a socket of each kind, or those that need rights in a network namespace of
 * its own, then sleep. Two processes have them; what is connected to port 7001 was closed by this
 * side and is in TIME_WAIT, one more connection there is not accepted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static int ip_socket(int family, int type, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int s = must("socket", socket(family, type, 0)), on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must("bind", family == AF_INET ? bind(s, (void *)&v4, sizeof(v4))
				       : bind(s, (void *)&v6, sizeof(v6)));
	if (type == SOCK_STREAM)
		must("listen", listen(s, 8));
	return s;
}

static int client_of(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = must("socket", socket(AF_INET, SOCK_STREAM, 0));

	must("connect", connect(s, (void *)&to, sizeof(to)));
	return s;
}

static void unix_listener(const char *name, size_t len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));

	memcpy(a.sun_path, name, len);
	must("bind", bind(s, (void *)&a, sizeof(a.sun_family) + len));
	must("listen", listen(s, 8));
}

static void make_in_own_namespace(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(7020)};
	int s;

	must("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNET));
	s = must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("bind", bind(s, (void *)&any, sizeof(any)));
	must("listen", listen(s, 8));
	must("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	must("packet", socket(AF_PACKET, SOCK_RAW, htons(0x88cc)));
}

static void make_others(void)
{
	static const char abstract[] = "\0hidden\nname";
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	ip_socket(AF_INET6, SOCK_STREAM, 7002);
	ip_socket(AF_INET, SOCK_DGRAM, 7003);
	ip_socket(AF_INET6, SOCK_DGRAM, 7004);
	unix_listener("/tmp/listening", strlen("/tmp/listening") + 1);
	unix_listener(abstract, sizeof(abstract) - 1);
	must("netlink", bind(must("netlink", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)),
			     (void *)&kernel, sizeof(kernel)));
}

static void make_connections(void)
{
	int listener = ip_socket(AF_INET, SOCK_STREAM, 7001), client = client_of(7001);
	int accepted = must("accept", accept(listener, NULL, NULL));

	close(client);
	usleep(100000);
	close(accepted);
	client_of(7001);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		make_in_own_namespace();
	} else {
		make_connections();
		make_others();
	}
	fork();
	sleep(60);
	return 0;
}
