// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: an execution that fails before the kernel reads its arguments, one of which lies in a
 * page of the program's file that nobody has touched yet.
 */
#include <unistd.h>

static const char far_away[1 << 20] = {[1 << 19] = 'u', 'n', 'r', 'e', 'a', 'd'};

int main(void)
{
	char file[] = "/no/such/file", first[] = "first", last[] = "last";
	char *args[] = {first, (char *)far_away + (1 << 19), last, NULL};

	execve(file, args, NULL);
	return 0;
}
