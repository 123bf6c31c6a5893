// SPDX-License-Identifier: Apache-2.0
/* For tests: COUNT connects at a time that nobody answers, all given up at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int socket_or_exit(int flags)
{
	int s = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (s < 0) {
		perror("socket");
		exit(1);
	}
	return s;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7004)};
	int listening = socket_or_exit(0);
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listening, (struct sockaddr *)&a, sizeof(a)) || listen(listening, 0))
		return 1;
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--)
		if (connect(socket_or_exit(SOCK_NONBLOCK), (struct sockaddr *)&a, sizeof(a)) &&
		    errno != EINPROGRESS)
			return 1;
	return 0;
}
