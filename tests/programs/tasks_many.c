// SPDX-License-Identifier: Apache-2.0
/*
 * tasks_many N [busy]: a process with N more threads, worker-0 …, which sleep for a minute or, if
 * busy, compute.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int busy;

static void *work(void *number)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(intptr_t)number);
	pthread_setname_np(pthread_self(), name);
	while (busy)
		__asm__ volatile("" ::: "memory");
	sleep(60);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;

	busy = argc > 2;
	for (intptr_t i = 0; i < n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, work, (void *)i))
			return 1;
	}
	sleep(60);
	return 0;
}
