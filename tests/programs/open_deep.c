// SPDX-License-Identifier: Apache-2.0
/*
 * open_deep PATH [MS]: opens it, by a function that a function calls, and stays for MS milliseconds. For tests of user
 * stacks, which need frame pointers.
 */
#pragma GCC optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define APART __attribute__((noipa))

APART int opens_a_file(const char *path);
APART int calls_what_opens(const char *path);

APART int opens_a_file(const char *path)
{
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) < 0 ? -1 : 0; /* the C library's open() has no frame */
}

APART int calls_what_opens(const char *path)
{
	return opens_a_file(path) + 1;
}

int main(int argc, char **argv)
{
	int r = argc > 1 ? calls_what_opens(argv[1]) - 1 : 2;

	if (argc > 2)
		usleep((useconds_t)strtoul(argv[2], NULL, 10) * 1000);
	return r;
}
