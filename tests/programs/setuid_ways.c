// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a process changes its ids, groups and capabilities by each call, each in a child that
 * may have given up what the next would need; then by calls that fail.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's own calls: the C library's setuid() does it for all threads. */
static void in_child(long nr, long a, long b, long c)
{
	pid_t pid = fork();

	if (!pid) {
		syscall(nr, a, b, c);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void groups(void)
{
	static uint32_t many[40];

	many[0] = 10;
	many[1] = 4294967294u;
	in_child(SYS_setgroups, 2, (intptr_t)many, 0);
	for (uint32_t i = 0; i < 40; i++)
		many[i] = i + 100;
	in_child(SYS_setgroups, 40, (intptr_t)many, 0);
	in_child(SYS_setgroups, 2, 8, 0);
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct some[2] = {
		{.effective = 1 << CAP_CHOWN, .permitted = 1 << CAP_CHOWN | 1 << CAP_KILL}, {}};
	struct __user_cap_data_struct more[2] = {{}, {.effective = 1, .permitted = 1}};

	in_child(SYS_capset, (intptr_t)&header, (intptr_t)some, 0);
	in_child(SYS_capset, (intptr_t)&header, (intptr_t)more, 0);
}

int main(void)
{
	in_child(SYS_setuid, 1001, 0, 0);
	in_child(SYS_setgid, 1002, 0, 0);
	in_child(SYS_setreuid, -1, 1003, 0);
	in_child(SYS_setregid, 1004, -1, 0);
	in_child(SYS_setresuid, 1005, 1006, 1007);
	in_child(SYS_setresgid, 1008, 1009, 1010);
	in_child(SYS_setfsuid, 1011, 0, 0);
	in_child(SYS_setfsgid, 1012, 0, 0);
	groups();
	capabilities();
	return 0;
}
