// SPDX-License-Identifier: Apache-2.0
/* load_read COUNT: COUNT times open, read and close of a small file. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	char bytes[64];

	while (count-- > 0) {
		int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, bytes, sizeof(bytes)) < 0)
			return 1;
		close(fd);
	}
	return 0;
}
