// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: namespaces are made and joined by each call, and by calls that fail. Threads and plain
 * children are made, too, which concern no namespace.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int yes, const char *what)
{
	if (!yes) {
		perror(what);
		exit(1);
	}
}

static void end_if_child(long pid)
{
	if (!pid)
		_exit(0);
	must(pid > 0, "clone");
	waitpid((pid_t)pid, NULL, __WALL);
}

static void making(void)
{
	struct clone_args args = {.flags = CLONE_NEWIPC | CLONE_NEWTIME, .exit_signal = SIGCHLD};

	must(!unshare(CLONE_NEWUTS), "unshare");
	end_if_child(syscall(SYS_clone, CLONE_NEWNET | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
	end_if_child(syscall(SYS_clone3, &args, sizeof(args)));
	end_if_child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static void joining(void)
{
	int ns = open("/proc/self/ns/ipc", O_RDONLY), pidfd = (int)syscall(SYS_pidfd_open, 1, 0);

	must(ns >= 0 && pidfd >= 0, "open");
	must(!setns(ns, 0), "setns");
	must(!setns(pidfd, CLONE_NEWUTS | CLONE_NEWNET), "setns pidfd");
}

static void failing(void)
{
	int file = open("/etc/passwd", O_RDONLY);

	must(unshare(CLONE_NEWNS | CLONE_PIDFD) < 0, "unshare");
	must(setns(file, 0) < 0, "a file");
	must(setns(-1, CLONE_NEWNET) < 0, "no descriptor");
	must(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0) < 0, "clone");
}

int main(int argc, char **argv)
{
	if (argc > 1) /* an argument: it may not */
		return !unshare(CLONE_NEWNET);
	making();
	joining();
	failing();
	return 0;
}
