// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a process whose threads end in an order of their own, by the argument:
 * "leader-first": the first thread ends, then another one, "worker", ends the process with code 5;
 * "together": threads that all end at the same moment, 200 times, with code 6;
 * "later": a thread "worker" ends, then the process with code 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOGETHER = 8 };

static pthread_barrier_t barrier;

/* Of this thread alone, unlike exit(). */
static _Noreturn void exit_thread(int code)
{
	for (;;)
		syscall(SYS_exit, code);
}

static void *end_process(void *leader)
{
	prctl(PR_SET_NAME, "worker");
	pthread_join(*(pthread_t *)leader, NULL);
	usleep(100000); /* it is joined a moment before it has ended */
	exit(5);
}

static void *end_thread(void *unused)
{
	prctl(PR_SET_NAME, "worker");
	exit_thread(3);
}

static void *end_together(void *unused)
{
	pthread_barrier_wait(&barrier);
	exit_thread(6);
}

static void start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		exit(1);
}

static void together(void)
{
	pthread_barrier_init(&barrier, NULL, TOGETHER);
	for (int i = 1; i < TOGETHER; i++)
		start(end_together, NULL);
	end_together(NULL);
}

int main(int argc, char **argv)
{
	pthread_t self = pthread_self();
	const char *way = argc > 1 ? argv[1] : "";

	if (!strcmp(way, "leader-first")) {
		start(end_process, &self);
		pthread_exit(NULL);
	} else if (!strcmp(way, "together")) {
		for (int i = 0; i < 200; i++) {
			if (!fork())
				together();
			wait(NULL);
		}
	} else if (!strcmp(way, "later")) {
		start(end_thread, NULL);
		usleep(100000);
	}
	return 0;
}
