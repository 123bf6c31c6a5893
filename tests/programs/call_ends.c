// SPDX-License-Identifier: Apache-2.0
/*
 * call_ends: system calls that end in unusual ways. Each is made a known number of times:
 *
 *   a read and a clock_nanosleep are interrupted by a signal whose handler restarts calls, a second
 *   read by one whose handler does not; a thread ends itself; a thread that is not the first one
 *   executes "call_ends done", which replaces the process, and ends with 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int pipes[2];

static void take(int sig)
{
	if (sig == SIGALRM && write(pipes[1], "x", 1) != 1)
		_exit(3);
}

static void handle(int sig, int flags)
{
	struct sigaction act = {.sa_handler = take, .sa_flags = flags};

	sigaction(sig, &act, NULL);
}

static void soon(int which)
{
	struct itimerval timer = {.it_value.tv_usec = 50000};

	setitimer(which, &timer, NULL);
}

static int interrupted(void)
{
	struct timespec little = {.tv_nsec = 100000000};
	char byte;

	if (pipe(pipes))
		return 1;
	handle(SIGALRM, SA_RESTART);
	soon(ITIMER_REAL);
	if (read(pipes[0], &byte, 1) != 1) /* begun again: the handler has written */
		return 1;
	soon(ITIMER_REAL);
	if (nanosleep(&little, NULL) != -1 || errno != EINTR)
		return 1;
	read(pipes[0], &byte, 1);
	handle(SIGALRM, 0);
	soon(ITIMER_REAL);
	return read(pipes[0], &byte, 1) != -1 || errno != EINTR;
}

static void *end(void *unused)
{
	return NULL;
}

static void *replace(void *unused)
{
	execl("/bin/call_ends", "call_ends", "done", NULL);
	_exit(2);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 1)
		return strcmp(argv[1], "done") != 0;
	if (interrupted())
		return 1;
	pthread_create(&thread, NULL, end, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, replace, NULL);
	pause();
	return 1;
}
