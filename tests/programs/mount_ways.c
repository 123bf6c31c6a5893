// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: mounts by the calls of Linux 5.2 and later, as root of a user namespace of its own.
 *   mount_ways WAY FOLDER [FOLDER]    WAY: old, new, tree, pick, attributes, pivot, wrong
 * Failures are the caller's business: each is only printed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { TREE_CLONE = 1, ATTR_RDONLY = 1, NO_FD = 1000 };

/* mount_attr of the kernel's interface, since 5.12 */
struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

static long done(const char *call, long r)
{
	if (r < 0)
		fprintf(stderr, "%s: %s\n", call, strerror(errno));
	return r;
}

/* The calls that there were always: a mount, one of another folder, and none. */
static void old_calls(char **folders)
{
	done("mount", mount("src", folders[0], "tmpfs", MS_NOEXEC, "size=1m"));
	done("umount", umount2(folders[0], MNT_DETACH));
	done("mount", mount("/tmp", folders[0], NULL, MS_BIND | MS_REC, NULL));
	done("umount", umount2(folders[0], 0));
	done("umount", umount2(folders[0], 0));
}

/* A tmpfs in all its steps. */
static void new_mount(char **folders)
{
	long fs = done("fsopen", syscall(SYS_fsopen, "tmpfs", 1)), mount;

	done("fsconfig", syscall(SYS_fsconfig, fs, 1, "source", "of-a-test", 0));
	done("fsconfig", syscall(SYS_fsconfig, fs, 0, "noswap-or-what", NULL, 0));
	done("fsconfig", syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0));
	mount = done("fsmount", syscall(SYS_fsmount, fs, 1, ATTR_RDONLY));
	done("move_mount", syscall(SYS_move_mount, mount, "", AT_FDCWD, folders[0], 4));
}

static void clone_tree(char **folders)
{
	long tree = done("open_tree", syscall(SYS_open_tree, AT_FDCWD, folders[0], TREE_CLONE));

	done("move_mount", syscall(SYS_move_mount, tree, "", AT_FDCWD, folders[1], 4));
}

static void pick(char **folders)
{
	long fs = done("fspick", syscall(SYS_fspick, AT_FDCWD, folders[0], 1));

	done("fsconfig", syscall(SYS_fsconfig, fs, 7, NULL, NULL, 0));
}

static void attributes(char **folders)
{
	struct attributes a = {.set = ATTR_RDONLY, .clear = 8, .propagation = MS_SLAVE};

	done("mount_setattr",
	     syscall(SYS_mount_setattr, AT_FDCWD, folders[0], AT_RECURSIVE, &a, sizeof(a)));
}

static void pivot(char **folders)
{
	done("pivot_root", syscall(SYS_pivot_root, folders[0], folders[1]));
}

static void wrong(char **folders)
{
	done("fsmount", syscall(SYS_fsmount, NO_FD, 0, 0));
	done("fsconfig", syscall(SYS_fsconfig, NO_FD, 99, "key", (void *)8, -1));
	done("mount",
	     syscall(SYS_mount, NULL, folders[0], (void *)8, 0xc0ed0000ul | 1ul << 9, NULL));
}

static const struct {
	const char *name;
	int n_folders;
	void (*call)(char **folders);
} ways[] = {
	{"old", 1, old_calls}, {"new", 1, new_mount},	      {"tree", 2, clone_tree},
	{"pick", 1, pick},     {"attributes", 1, attributes}, {"pivot", 2, pivot},
	{"wrong", 1, wrong},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i].name, argv[1]) || argc != 2 + ways[i].n_folders)
			continue;
		done("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
		ways[i].call(argv + 2);
		return 0;
	}
	fputs("usage: mount_ways old|new|tree|pick|attributes|pivot|wrong FOLDER [FOLDER]\n",
	      stderr);
	return 2;
}
