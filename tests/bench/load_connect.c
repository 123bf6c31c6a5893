// SPDX-License-Identifier: Apache-2.0
/* load_connect COUNT: COUNT TCP connections over loopback to itself, each accepted and closed from both ends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int one(int listener, const struct sockaddr_in *to)
{
	const struct linger at_once = { .l_onoff = 1 };
	int from = socket(AF_INET, SOCK_STREAM, 0), got;

	if (from < 0 || connect(from, (const struct sockaddr *)to, sizeof(*to)))
		return 1;
	got = accept(listener, NULL, NULL);
	if (got < 0)
		return 1;
	/* Reset, so that no TIME_WAIT eats up the ports. */
	setsockopt(from, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(from);
	close(got);
	return 0;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&to, size) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&to, &size)) {
		perror("load_connect");
		return 1;
	}
	for (long i = 0; i < count; i++) {
		if (one(listener, &to)) {
			perror("load_connect");
			return 1;
		}
	}
	return 0;
}
