// SPDX-License-Identifier: Apache-2.0
/*
 * udp_talk WAY ADDRESS PORT: conversations over UDP.
 *
 *   ask      a client asks a server at PORT, twice, which answers, also when the client is gone
 *   peers    PORT asks PORT+1, which answers; both chose their ports
 *   chosen   PORT asks a server whose port the kernel chose, and is answered; prints that port
 *   refused  asks PORT, where nobody is
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_storage at;
static socklen_t at_len;

/* The address with another port. Both families have it at the same place. */
static const struct sockaddr *with_port(unsigned short port)
{
	((struct sockaddr_in *)&at)->sin_port = htons(port);
	return (const struct sockaddr *)&at;
}

static int new_socket(int port) /* -1: not bound */
{
	int fd = socket(at.ss_family, SOCK_DGRAM, 0);

	if (fd < 0 || (port >= 0 && bind(fd, with_port((unsigned short)port), at_len)))
		exit(1);
	return fd;
}

static unsigned short port_of(int fd)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len))
		exit(1);
	return ntohs(((struct sockaddr_in *)&own)->sin_port);
}

static void ask(int fd, unsigned short port)
{
	if (sendto(fd, "ask", 3, 0, with_port(port), at_len) != 3)
		exit(1);
}

/* What was asked; late: who asked is gone by then. */
static void answer(int server, int client, int late)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char got[16];

	if (recvfrom(server, got, sizeof(got), 0, (struct sockaddr *)&from, &len) != 3)
		exit(1);
	if (late)
		close(client);
	if (sendto(server, "answer", 6, 0, (struct sockaddr *)&from, len) != 6)
		exit(1);
	if (!late && recv(client, got, sizeof(got), 0) != 6)
		exit(1);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *to;
	int port, client, server;

	if (argc != 4 || getaddrinfo(argv[2], argv[3], &hints, &to))
		return 2;
	memcpy(&at, to->ai_addr, to->ai_addrlen);
	at_len = to->ai_addrlen;
	port = atoi(argv[3]);
	if (!strcmp(argv[1], "ask")) {
		server = new_socket(port);
		client = new_socket(-1);
		ask(client, (unsigned short)port);
		answer(server, client, 0);
		ask(client, (unsigned short)port);
		answer(server, client, 1);
	} else if (!strcmp(argv[1], "peers")) {
		client = new_socket(port);
		server = new_socket(port + 1);
		ask(client, (unsigned short)(port + 1));
		answer(server, client, 0);
	} else if (!strcmp(argv[1], "chosen")) {
		client = new_socket(port);
		server = new_socket(0);
		printf("%d\n", port_of(server));
		ask(client, port_of(server));
		answer(server, client, 0);
	} else {
		ask(new_socket(-1), (unsigned short)port);
	}
	return 0;
}
