// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a child asks to be traced, is looked into, changed and let go; another is seized; then
 * calls that fail. With a number: only that process is attached to, and let go.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long word = 42;

static void must(int yes, const char *what)
{
	if (!yes) {
		perror(what);
		exit(1);
	}
}

static void child(void)
{
	must(!ptrace(PTRACE_TRACEME, 0, NULL, NULL), "traceme");
	raise(SIGSTOP);
	_exit(word == 43 ? 0 : 1);
}

static void traced(void)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (!pid)
		child();
	must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "stop");
	must(ptrace(PTRACE_PEEKDATA, pid, &word, NULL) == 42, "peek");
	must(!ptrace(PTRACE_POKEDATA, pid, &word, 43L), "poke");
	must(!ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_EXITKILL), "options");
	must(!ptrace(PTRACE_DETACH, pid, NULL, NULL), "detach");
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status), "end");
}

static void seized(void)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		pause();
		_exit(0);
	}
	must(!ptrace(PTRACE_SEIZE, pid, NULL, NULL), "seize");
	must(!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), "interrupt");
	waitpid(pid, NULL, __WALL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

static void attach(pid_t pid)
{
	must(!ptrace(PTRACE_ATTACH, pid, NULL, NULL), "attach");
	waitpid(pid, NULL, __WALL);
	must(!ptrace(PTRACE_DETACH, pid, NULL, NULL), "detach");
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		attach(atoi(argv[1]));
		return 0;
	}
	traced();
	seized();
	must(ptrace(PTRACE_ATTACH, 999999, NULL, NULL) < 0, "nobody");
	must(ptrace(PTRACE_CONT, 1, NULL, NULL) < 0, "not traced");
	must(ptrace(PTRACE_ATTACH, getpid(), NULL, NULL) < 0, "itself");
	return 0;
}
