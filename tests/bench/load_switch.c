// SPDX-License-Identifier: Apache-2.0
/*
 * load_switch COUNT: two processes on one CPU give a byte to and fro, COUNT times: each time both
 * block, are woken and switched to.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int play(int from, int to, long count)
{
	char byte = 0;

	while (count-- > 0)
		if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	int there[2], back[2], status;
	cpu_set_t one;
	pid_t other;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (pipe(there) || pipe(back) || sched_setaffinity(0, sizeof(one), &one))
		return 1;
	other = fork();
	if (other < 0)
		return 1;
	if (!other)
		_exit(play(there[0], back[1], count));
	if (play(back[0], there[1], count))
		return 1;
	return waitpid(other, &status, 0) < 0 || status;
}
