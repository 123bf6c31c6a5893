// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: failures of TCP calls. A connection is there to be accepted, but no descriptor is
 * free; a connect that is not waited for is refused, and asked about again; a connect to an address
 * that no route leads to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static struct sockaddr_in address(const char *ip, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int tcp(int flags)
{
	return must(socket(AF_INET, SOCK_STREAM | flags, 0), "socket");
}

static void accept_without_descriptor(void)
{
	struct sockaddr_in a = address("127.0.0.1", 7001);
	int listening = tcp(0), client = tcp(0);
	struct rlimit none_free = {(rlim_t)client + 1, (rlim_t)client + 1};

	must(bind(listening, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(listen(listening, 1), "listen");
	must(connect(client, (struct sockaddr *)&a, sizeof(a)), "connect");
	must(setrlimit(RLIMIT_NOFILE, &none_free), "setrlimit");
	if (accept(listening, NULL, NULL) >= 0 || errno != EMFILE)
		exit(1);
}

static void refused_later(void)
{
	struct sockaddr_in a = address("127.0.0.1", 7002);
	int s = tcp(SOCK_NONBLOCK);
	struct pollfd p = {.fd = s, .events = POLLOUT};

	if (!connect(s, (struct sockaddr *)&a, sizeof(a)))
		exit(1);
	must(poll(&p, 1, 5000), "poll");
	if (!connect(s, (struct sockaddr *)&a, sizeof(a)) || errno != ECONNREFUSED)
		exit(1);
	close(s);
}

static void without_route(void)
{
	struct sockaddr_in a = address("192.0.2.7", 7003);
	int s = tcp(0);

	if (!connect(s, (struct sockaddr *)&a, sizeof(a)) || errno != ENETUNREACH)
		exit(1);
	close(s);
}

int main(void)
{
	refused_later();
	without_route();
	accept_without_descriptor();
	puts("done");
	return 0;
}
