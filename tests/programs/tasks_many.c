// SPDX-License-Identifier: Apache-2.0
/*
 * tasks_many N [busy|nice]: a process with N more threads, worker-0 …, which sleep for a minute or,
 * if busy, compute; nice: at nice value 5.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

	busy = argc > 2 && !strcmp(argv[2], "busy");
	if (argc > 2 && !strcmp(argv[2], "nice") && nice(5) < 0)
		return 1;
	for (intptr_t i = 0; i < n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, work, (void *)i))
			return 1;
	}
	sleep(60);
	return 0;
}
