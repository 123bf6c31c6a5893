// SPDX-License-Identifier: Apache-2.0
/* load_open THREADS COUNT [PATH]: COUNT openat+close in all, spread over the threads. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path = "/etc/passwd";

static void *storm(void *count)
{
	for (long i = *(long *)count; i > 0; i--) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 2, count = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
	pthread_t ids[64];
	long shares[64];

	if (argc > 3)
		path = argv[3];
	if (threads < 1 || threads > 64)
		return 2;
	for (long i = 0; i < threads; i++) {
		shares[i] = count / threads + (i < count % threads);
		if (pthread_create(&ids[i], NULL, storm, &shares[i]))
			return 1;
	}
	for (long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return 0;
}
