// SPDX-License-Identifier: Apache-2.0
/*
 * Programs at the root of cgroup v2: one attachment sees the sockets of all cgroups below, in all
 * network namespaces. They hang on a link, which does not disturb what others have attached there.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"

#define ROOT_CGROUP_ID 1 /* of every hierarchy: kernfs numbers its folders from there */

/* In a cgroup namespace of our own a mount's root may be another cgroup. */
static bool is_root(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == ROOT_CGROUP_ID;
}

/* A mount that only this descriptor sees: works without any in sight. */
static int mount_root(void)
{
	_cleanup_(closep) int context = fsopen("cgroup2", FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	int fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int cgroup2_root_open(int known)
{
	int rc = known >= 0 && is_root(known) ? fcntl(known, F_DUPFD_CLOEXEC, 0) : -1;

	if (rc >= 0)
		return rc;
	_cleanup_(closep) int fd = mount_root();
	if (fd < 0)
		return fd;
	return is_root(fd) ? take_fd(&fd) : -EXDEV;
}

int attach_cgroup(struct program *p, const struct hook_places *at)
{
	_cleanup_(closep) int fd = cgroup2_root_open(at->cgroup2);

	if (fd < 0)
		return fd;
	p->link = bpf_program__attach_cgroup(p->prog, fd);
	return p->link ? 0 : -errno;
}
