// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: each call about kernel modules, none of which works: what is loaded is no module, and
 * a container may not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	static char long_values[6000];
	int fd = open("/etc/passwd", O_RDONLY);

	memset(long_values, 'v', sizeof(long_values) - 1);
	if (fd < 0 || !syscall(SYS_init_module, "no module", 9, "debug=1 name=\033[2J") ||
	    !syscall(SYS_finit_module, fd, "quiet", 3) ||
	    !syscall(SYS_finit_module, fd, long_values, 4) ||
	    !syscall(SYS_delete_module, "no_such_module", O_NONBLOCK | O_TRUNC)) {
		puts("a call worked that must not");
		return 1;
	}
	return 0;
}
