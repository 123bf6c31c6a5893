// SPDX-License-Identifier: Apache-2.0
/*
 * block_ways: waits, for known times and in known functions: twice 300 ms for the time, 250 ms for
 * another thread, 600 ms for a pipe, and 800 ms for a child, which no signal ends (as waiting for a
 * disk). For tests of stacks, which need frame pointers.
 */
#pragma GCC optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noipa))
#define MS 1000000l

/* The C library's own functions have no frames: callers of the caller are what stacks show. */
APART int sleeps(long ns);
APART int calls_what_sleeps(long ns);
APART int waits_for_a_thread(unsigned int *word);
APART int calls_what_waits_for_a_thread(void);
APART int reads_a_pipe(int fd);
APART int calls_what_reads_a_pipe(void);
APART int waits_for_a_child(void);
APART int calls_what_waits_for_a_child(void);

APART int sleeps(long ns)
{
	struct timespec time = {.tv_nsec = ns};

	return (int)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
}

APART int calls_what_sleeps(long ns)
{
	return sleeps(ns) + 1;
}

static void *wakes(void *word)
{
	sleeps(250 * MS);
	*(volatile unsigned int *)word = 1;
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

APART int waits_for_a_thread(unsigned int *word)
{
	while (!*(volatile unsigned int *)word)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return 0;
}

APART int calls_what_waits_for_a_thread(void)
{
	unsigned int word = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, wakes, &word))
		return 1;
	waits_for_a_thread(&word);
	return pthread_join(thread, NULL);
}

APART int reads_a_pipe(int fd)
{
	char byte;

	return (int)syscall(SYS_read, fd, &byte, 1) - 1;
}

APART int calls_what_reads_a_pipe(void)
{
	int pipes[2], r;
	pid_t child;

	if (pipe(pipes))
		return 1;
	child = fork();
	if (!child) {
		sleeps(600 * MS);
		_exit(write(pipes[1], "x", 1) != 1);
	}
	r = reads_a_pipe(pipes[0]);
	waitpid(child, NULL, 0);
	return r;
}

static int child(void *unused)
{
	sleeps(800 * MS);
	_exit(0);
}

APART int waits_for_a_child(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	return clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0;
}

APART int calls_what_waits_for_a_child(void)
{
	return waits_for_a_child() + 1;
}

int main(void)
{
	volatile int twice = 2; /* so that it is one call in the program */
	int r = 0;

	for (int i = 0; i < twice; i++)
		r |= calls_what_sleeps(300 * MS) - 1;
	r |= calls_what_waits_for_a_thread();
	r |= calls_what_reads_a_pipe();
	r |= calls_what_waits_for_a_child() - 1;
	return r;
}
