// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: `seccomp_ways WAY` makes the call getpriority() under a filter that does with it as
 * WAY says, after calls that are let through and fail or not.
 */
#pragma GCC optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct way {
	const char *name;
	unsigned int action;
} ways[] = {
	{"errno", SECCOMP_RET_ERRNO | EDOM}, {"trap", SECCOMP_RET_TRAP},
	{"caught", SECCOMP_RET_TRAP},	     {"kill", SECCOMP_RET_KILL_PROCESS},
	{"thread", SECCOMP_RET_KILL_THREAD}, {"log", SECCOMP_RET_LOG},
	{"allow", SECCOMP_RET_ALLOW},
};

static int filter(unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void caught(int sig)
{
}

__attribute__((noipa)) static int makes_the_call(void)
{
	return syscall(SYS_getpriority, PRIO_PROCESS, 0) < 0 ? -1 : 0;
}

__attribute__((noipa)) static int calls_what_makes_it(void)
{
	return makes_the_call() + 1; /* the C library's syscall() has no frame: this one is seen */
}

static void *in_a_thread(void *nothing)
{
	calls_what_makes_it();
	return NULL;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	pthread_t thread;

	if (!strcmp(name, "caught"))
		signal(SIGSYS, caught);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(ways[i].name, name) && filter(ways[i].action)) {
			perror("seccomp");
			return 1;
		}
	close(1000); /* EBADF: no filter's doing */
	if (!strcmp(name, "thread")) {
		if (!pthread_create(&thread, NULL, in_a_thread, NULL))
			usleep(100000);
		return 0;
	}
	if (!strcmp(name, "kill-self"))
		raise(SIGSYS);
	calls_what_makes_it();
	usleep(200000); /* for names of its functions */
	return 0;
}
