// SPDX-License-Identifier: Apache-2.0
#include "net/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"

int unix_connect(int path_fd)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d", path_fd);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return take_fd(&fd);
}

int unix_connect_path(const char *path)
{
	_cleanup_(closep) int path_fd = open(path, O_PATH | O_CLOEXEC);

	return path_fd < 0 ? -errno : unix_connect(path_fd);
}
