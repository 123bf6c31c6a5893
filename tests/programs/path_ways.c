// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: calls on paths that a shell does not make.
 *   path_ways CALL FOLDER [ARGUMENT…]    arguments are below FOLDER, which is a descriptor in the
 * call Failures are the caller's business: each is only printed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum { MODE = 0750, BAD_FD = 1000 };

static char *const bad_address = (char *)8;

static long remove_file(int folder, char **args)
{
	return syscall(SYS_unlinkat, folder, args[0], 0);
}

static long remove_folder(int folder, char **args)
{
	return syscall(SYS_unlinkat, folder, args[0], AT_REMOVEDIR);
}

static long remove_bad_fd(int folder, char **args)
{
	return syscall(SYS_unlinkat, BAD_FD, args[0], 0);
}

static long remove_bad_address(int folder, char **args)
{
	return syscall(SYS_unlinkat, folder, bad_address, 0);
}

static long link_below(int folder, char **args)
{
	return syscall(SYS_linkat, folder, args[0], folder, args[1], 0);
}

static long link_followed(int folder, char **args)
{
	return syscall(SYS_linkat, folder, args[0], folder, args[1], AT_SYMLINK_FOLLOW);
}

/*
 * FOLDER is a file here. The empty name lies on the stack, which is in memory: kernels before 6.10
 * may refuse the call without a look at it.
 */
static long link_descriptor(int file, char **args)
{
	char empty[] = "";

	return syscall(SYS_linkat, file, empty, AT_FDCWD, args[0], AT_EMPTY_PATH);
}

static long symlink_below(int folder, char **args)
{
	return syscall(SYS_symlinkat, args[0], folder, args[1]);
}

static long rename_below(int folder, char **args)
{
	return syscall(SYS_renameat2, folder, args[0], folder, args[1], 0);
}

static long exchange(int folder, char **args)
{
	return syscall(SYS_renameat2, folder, args[0], folder, args[1], RENAME_EXCHANGE);
}

static long rename_noreplace(int folder, char **args)
{
	return syscall(SYS_renameat2, folder, args[0], folder, args[1], RENAME_NOREPLACE);
}

static long rename_at(int folder, char **args)
{
#ifdef SYS_renameat
	return syscall(SYS_renameat, folder, args[0], folder, args[1]);
#else
	return rename_below(folder, args);
#endif
}

static long chmod_folder(int folder, char **args)
{
	int fd = openat(folder, ".", O_RDONLY | O_CLOEXEC); /* not one by O_PATH */
	long r = syscall(SYS_fchmod, fd, MODE);

	close(fd);
	return r;
}

static long chmod_below(int folder, char **args)
{
	return syscall(SYS_fchmodat, folder, args[0], MODE);
}

static long chmod_link(int folder, char **args)
{
	return syscall(SYS_fchmodat2, folder, args[0], MODE, AT_SYMLINK_NOFOLLOW);
}

static long chmod_descriptor(int folder, char **args)
{
	return syscall(SYS_fchmodat2, folder, "", MODE, AT_EMPTY_PATH);
}

static const struct {
	const char *name;
	int n_args;
	long (*call)(int folder, char **args);
} calls[] = {
	{"unlinkat", 1, remove_file},
	{"unlinkat-folder", 1, remove_folder},
	{"unlinkat-bad-fd", 1, remove_bad_fd},
	{"unlinkat-bad-address", 0, remove_bad_address},
	{"linkat", 2, link_below},
	{"linkat-follow", 2, link_followed},
	{"linkat-empty", 1, link_descriptor},
	{"symlinkat", 2, symlink_below},
	{"renameat", 2, rename_at},
	{"renameat2", 2, rename_below},
	{"exchange", 2, exchange},
	{"noreplace", 2, rename_noreplace},
	{"fchmod", 0, chmod_folder},
	{"fchmodat", 1, chmod_below},
	{"fchmodat2-link", 1, chmod_link},
	{"fchmodat2-empty", 0, chmod_descriptor},
};

int main(int argc, char **argv)
{
	int folder;

	for (size_t i = 0; argc > 2 && i < sizeof(calls) / sizeof(*calls); i++) {
		if (strcmp(calls[i].name, argv[1]) || argc != 3 + calls[i].n_args)
			continue;
		folder = open(argv[2], O_PATH | O_CLOEXEC);
		if (folder < 0 || calls[i].call(folder, argv + 3) < 0)
			fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 0;
	}
	fputs("usage: path_ways CALL FOLDER [ARGUMENT...]\n", stderr);
	return 2;
}
