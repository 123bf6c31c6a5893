// SPDX-License-Identifier: Apache-2.0
/*
 * load_http serve: answers requests at port 8080, on a few connections, until it is killed.
 * load_http SECONDS: asks it on so many connections at a time, again as soon as it has answered;
 * prints "answered N us N".
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 8 };

static const char request[] = "GET /some/path?with=parameters HTTP/1.1\r\n"
			      "Host: www.example.com\r\n"
			      "User-Agent: load_http/1.0 (X11; Linux x86_64)\r\n"
			      "Accept: text/html,application/xhtml+xml,application/xml\r\n"
			      "Accept-Language: en-US,en\r\n"
			      "Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Server: load_http\r\n"
			     "Date: Thu, 26 Nov 2026 00:00:00 GMT\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 100\r\n\r\n"
			     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static struct sockaddr_in server(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static int serve(void)
{
	struct pollfd fds[64] = {{.fd = tcp_socket(), .events = POLLIN}};
	struct sockaddr_in at = server();
	nfds_t n = 1;
	char b[4096];

	if (bind(fds[0].fd, (struct sockaddr *)&at, sizeof(at)) || listen(fds[0].fd, 64))
		return 1;
	while (poll(fds, n, -1) > 0) {
		if (fds[0].revents && n < 64)
			fds[n++] = (struct pollfd){.fd = accept(fds[0].fd, NULL, NULL),
						   .events = POLLIN};
		for (nfds_t i = n - 1; i; i--) {
			if (!fds[i].revents)
				continue;
			if (recv(fds[i].fd, b, sizeof(b), 0) > 0) {
				send(fds[i].fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
			} else {
				close(fds[i].fd);
				fds[i] = fds[--n];
			}
		}
	}
	return 1;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = server();
	long long answered = 0, start, end;
	int fds[CONNECTIONS];
	char b[sizeof(answer)];

	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "serve"))
		return serve();
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = tcp_socket();
		if (connect(fds[i], (struct sockaddr *)&at, sizeof(at)))
			return 1;
	}
	start = now_us();
	end = start + atoll(argv[1]) * 1000000;
	while (now_us() < end) {
		for (int i = 0; i < CONNECTIONS; i++)
			send(fds[i], request, sizeof(request) - 1, 0);
		for (int i = 0; i < CONNECTIONS; i++)
			if (recv(fds[i], b, sizeof(answer) - 1, MSG_WAITALL) != sizeof(answer) - 1)
				return 1;
		answered += CONNECTIONS;
	}
	printf("answered %lld us %lld\n", answered, now_us() - start);
	return 0;
}
