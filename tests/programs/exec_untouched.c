// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: an execution that fails before the kernel reads its arguments, one of which lies in a
 * page of the program's file that nobody has touched yet. What fails is the environment: before 6.8
 * a missing program shows only after the arguments were read.
 */
#include <unistd.h>

static const char far_away[1 << 20] = {[1 << 19] = 'u', 'n', 'r', 'e', 'a', 'd'};

int main(void)
{
	char file[] = "/bin/busybox", first[] = "first", last[] = "last";
	char **volatile nowhere = (char **)1;
	char *args[] = {first, (char *)far_away + (1 << 19), last, NULL};

	execve(file, args, nowhere);
	return 0;
}
