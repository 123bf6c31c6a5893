// SPDX-License-Identifier: Apache-2.0
/*
 * load_exec COUNT: COUNT times fork and exec of itself with the word "true", which ends at once. Its strings lie in a
 * file page that a new process has not touched: a tracer that reads arguments at the call finds nothing there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;

	if (argc > 1 && !strcmp(argv[1], "true"))
		return 0;
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (!pid) {
			static const char *const args[] = { "load_exec", "true", "an argument in a file page", NULL };

			execv("/bin/load_exec", (char **)args);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
	return 0;
}
