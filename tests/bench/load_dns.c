// SPDX-License-Identifier: Apache-2.0
/*
 * load_dns serve: answers DNS queries at port 5353 until it is killed.
 * load_dns RATE SECONDS: asks it, RATE times a second; prints "asked N answered N us N".
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static struct sockaddr_in server(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5353)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static const unsigned char query[] = {0,   0,	1,   0,	  0,   1,   0,	 0,   0,   0,	0,
				      0,   3,	'w', 'w', 'w', 7,   'e', 'x', 'a', 'm', 'p',
				      'l', 'e', 3,   'c', 'o', 'm', 0,	 0,   1,   0,	1};
static const unsigned char answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

static int serve(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 4 << 20;
	struct sockaddr_in at = server(), from;
	unsigned char b[512];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return 1;
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, b, sizeof(b) - sizeof(answer), 0, (struct sockaddr *)&from,
				     &size);

		if (n < 12)
			continue;
		b[2] |= 0x80;
		b[7] = 1;
		memcpy(b + n, answer, sizeof(answer));
		sendto(fd, b, (size_t)n + sizeof(answer), 0, (struct sockaddr *)&from, size);
	}
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static long long answers(int fd)
{
	unsigned char b[512];
	long long n = 0;

	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void ask(int fd, unsigned int id)
{
	unsigned char b[sizeof(query)];

	memcpy(b, query, sizeof(b));
	b[0] = (unsigned char)(id >> 8);
	b[1] = (unsigned char)id;
	send(fd, b, sizeof(b), 0);
}

int main(int argc, char **argv)
{
	struct timespec pause = {.tv_nsec = 200000};
	long long asked = 0, answered = 0, start, due;
	int bytes = 4 << 20;

	if (argc == 2)
		return serve();
	if (argc != 3)
		return 2;
	long long rate = atoll(argv[1]), all = rate * atoll(argv[2]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = server();

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		return 1;
	start = now_us();
	while (asked < all) {
		due = (now_us() - start) * rate / 1000000;
		for (; asked < due && asked < all; asked++)
			ask(fd, (unsigned int)asked);
		answered += answers(fd);
		nanosleep(&pause, NULL);
	}
	long long took = now_us() - start;

	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	answered += answers(fd);
	printf("asked %lld answered %lld us %lld\n", asked, answered, took);
	return 0;
}
