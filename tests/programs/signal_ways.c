// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a process gets signals in each way that there is, one after the other, and ignores
 * what they say; then calls that fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void take(int sig)
{
	got = sig;
}

static void wait_for(int sig)
{
	while (got != sig)
		usleep(1000);
}

static void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static void by_calls(void)
{
	union sigval value = {.sival_int = 1};
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	must(kill(getpid(), SIGUSR1), "kill");
	must((int)syscall(SYS_tkill, gettid(), SIGUSR2), "tkill");
	must((int)syscall(SYS_tgkill, getpid(), gettid(), SIGHUP), "tgkill");
	must(sigqueue(getpid(), SIGRTMIN + 1, value), "sigqueue");
	must(pidfd, "pidfd_open");
	must((int)syscall(SYS_pidfd_send_signal, pidfd, SIGQUIT, NULL, 0), "pidfd_send_signal");
	close(pidfd);
}

static void by_timers(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	struct itimerval soon_too = {.it_value.tv_usec = 1000};
	timer_t timer;

	must(setitimer(ITIMER_REAL, &soon_too, NULL), "setitimer");
	wait_for(SIGALRM);
	must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	must(timer_settime(timer, 0, &soon, NULL), "timer_settime");
	wait_for(SIGRTMIN + 2);
}

/* A pipe that can be read tells its owner. */
static void by_file(void)
{
	int ends[2];

	must(pipe(ends), "pipe");
	must(fcntl(ends[0], F_SETOWN, getpid()), "F_SETOWN");
	must(fcntl(ends[0], F_SETSIG, SIGRTMIN + 3), "F_SETSIG");
	must(fcntl(ends[0], F_SETFL, O_ASYNC), "O_ASYNC");
	must((int)write(ends[1], "x", 1), "write");
	close(ends[0]);
	if (write(ends[1], "x", 1) >= 0 || errno != EPIPE) /* SIGPIPE */
		exit(1);
	close(ends[1]);
}

static void by_fault(void)
{
	pid_t child = fork();

	must(child, "fork");
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile int *)16 = 0;
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

/* Blocked, they wait. */
static void not_delivered(void)
{
	struct rlimit none = {0, 0};
	union sigval value = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGRTMIN + 4);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must(kill(getpid(), SIGTERM), "kill");
	must(kill(getpid(), SIGTERM), "kill");
	signal(SIGWINCH, SIG_IGN);
	must(kill(getpid(), SIGWINCH), "kill");
	must(setrlimit(RLIMIT_SIGPENDING, &none), "setrlimit");
	if (!sigqueue(getpid(), SIGRTMIN + 4, value) || errno != EAGAIN)
		exit(1);
}

static void failing(void)
{
	union sigval value = {0};

	if (!kill(999999, SIGUSR1) || !kill(-999999, SIGUSR2) ||
	    !syscall(SYS_tkill, 999999, SIGHUP) || !syscall(SYS_tgkill, 999999, 999999, SIGINT) ||
	    !sigqueue(999999, SIGALRM, value) || !kill(999999, 0) || !kill(getpid(), 100) ||
	    !syscall(SYS_pidfd_send_signal, -1, SIGQUIT, NULL, 0))
		exit(1);
}

int main(int argc, char **argv)
{
	for (int sig = 1; sig < SIGRTMAX; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGTERM)
			signal(sig, take);
	by_calls();
	by_timers();
	by_file();
	by_fault();
	not_delivered();
	failing();
	puts("done");
	return 0;
}
