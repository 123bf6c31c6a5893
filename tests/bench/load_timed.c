// SPDX-License-Identifier: Apache-2.0
/* load_timed PROGRAM ARGUMENT…: runs it and prints microseconds: user, sys (with all its children's), wall. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long us(struct timeval t)
{
	return t.tv_sec * 1000000ll + t.tv_usec;
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	struct rusage used;
	int status;
	pid_t pid;

	if (argc < 2)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &from);
	pid = fork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0 || status)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("timed %lld %lld %lld\n", us(used.ru_utime), us(used.ru_stime),
	       (to.tv_sec - from.tv_sec) * 1000000ll + (to.tv_nsec - from.tv_nsec) / 1000);
	return 0;
}
