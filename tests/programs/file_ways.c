// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: reads and writes files in all ways, three bytes each.
 *   file_ways WAY PATH    WAY: read, readv … (from bytes 0, 1 … on), sync, statfs, sendfile, copy,
 * splice, map, socket, eventfd What copies writes to PATH.copy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { BYTES = 3 };

static char bytes[BYTES] = "abc";
static const struct iovec vector = {bytes, BYTES};
static const char *path;

static long by_read(int fd)
{
	return read(fd, bytes, BYTES);
}

static long by_readv(int fd)
{
	lseek(fd, 1, SEEK_SET);
	return readv(fd, &vector, 1);
}

static long by_pread(int fd)
{
	return pread(fd, bytes, BYTES, 2);
}

static long by_preadv(int fd)
{
	return preadv(fd, &vector, 1, 3);
}

static long by_preadv2(int fd)
{
	return preadv2(fd, &vector, 1, 4, 0);
}

static long by_write(int fd)
{
	return write(fd, bytes, BYTES);
}

static long by_writev(int fd)
{
	lseek(fd, 1, SEEK_SET);
	return writev(fd, &vector, 1);
}

static long by_pwrite(int fd)
{
	return pwrite(fd, bytes, BYTES, 2);
}

static long by_pwritev(int fd)
{
	return pwritev(fd, &vector, 1, 3);
}

static long by_pwritev2(int fd)
{
	return pwritev2(fd, &vector, 1, 4, 0);
}

static long by_statfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s);
}

static int open_copy(void)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s.copy", path);
	return open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static long by_sendfile(int fd)
{
	return sendfile(open_copy(), fd, NULL, BYTES);
}

static long by_copy(int fd)
{
	return copy_file_range(fd, NULL, open_copy(), NULL, BYTES, 0);
}

static long by_splice(int fd)
{
	int ends[2];

	if (pipe(ends) || splice(fd, NULL, ends[1], NULL, BYTES, 0) < 0)
		return -1;
	return splice(ends[0], NULL, open_copy(), NULL, BYTES, 0);
}

static long by_map(int fd)
{
	volatile char *at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? -1 : at[0];
}

static long by_socket(int fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || write(ends[0], bytes, BYTES) < 0)
		return -1;
	return read(ends[1], bytes, BYTES);
}

static long by_eventfd(int fd)
{
	int event = eventfd(1, EFD_CLOEXEC);
	uint64_t value;

	return read(event, &value, sizeof(value));
}

static long by_sync(int fd)
{
	return fdatasync(fd);
}

static const struct {
	const char *name;
	long (*call)(int fd);
} ways[] = {
	{"read", by_read},	   {"readv", by_readv},	    {"pread", by_pread},
	{"preadv", by_preadv},	   {"preadv2", by_preadv2}, {"write", by_write},
	{"writev", by_writev},	   {"pwrite", by_pwrite},   {"pwritev", by_pwritev},
	{"pwritev2", by_pwritev2}, {"statfs", by_statfs},   {"sync", by_sync},
	{"sendfile", by_sendfile}, {"copy", by_copy},	    {"splice", by_splice},
	{"map", by_map},	   {"socket", by_socket},   {"eventfd", by_eventfd},
};

int main(int argc, char **argv)
{
	int fd;

	for (size_t i = 0; argc == 3 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i].name, argv[1]))
			continue;
		path = argv[2];
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ways[i].call(fd) < 0)
			fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 0;
	}
	fputs("usage: file_ways WAY PATH\n", stderr);
	return 2;
}
