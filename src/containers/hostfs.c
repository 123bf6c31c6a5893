// SPDX-License-Identifier: Apache-2.0
/* Files of the host, looked up below its root. */
#include "containers/hostfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/mem.h"

int host_open(const char *root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT,
	};
	_cleanup_(closep) int dir = -1;
	long fd;

	dir = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

int host_read(const char *root, const char *path, struct buf *b)
{
	_cleanup_(closep) int fd = host_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return buf_read_fd(b, fd);
}

int host_each(const char *root, const char *path, host_name_fn *fn, void *arg)
{
	int fd = host_open(root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (!r && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			r = fn(arg, entry->d_name);
	closedir(dir);
	return r;
}
