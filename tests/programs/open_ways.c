// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: opens files in the ways that a shell does not.
 *   open_ways WAY PATH…    WAY: open, openat2, creat, uring, uring-async
 * Failures are the caller's business: each is only printed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long by_open(const char *path)
{
#ifdef SYS_open
	return syscall(SYS_open, path, O_RDWR | O_CREAT | O_EXCL, 0600);
#else
	return syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600);
#endif
}

static long by_openat2(const char *path)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0640};

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static long by_creat(const char *path)
{
#ifdef SYS_creat
	return syscall(SYS_creat, path, 0644);
#else
	return syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
#endif
}

/* One request through a ring of its own, which stays open. */
static long ring_request(const char *path, uint8_t flags)
{
	struct io_uring_params p = {};
	int ring = syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *request;
	struct io_uring_cqe *result;
	char *sq, *cq;

	if (ring < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(uint32_t), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*result), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_CQ_RING);
	request = mmap(NULL, p.sq_entries * sizeof(*request), PROT_READ | PROT_WRITE, MAP_SHARED,
		       ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || request == MAP_FAILED)
		return -1;
	*request = (struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT,
		.flags = flags,
		.fd = AT_FDCWD,
		.addr = (uintptr_t)path,
		.len = 0600,
		.open_flags = O_RDONLY,
	};
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	result = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	errno = result->res < 0 ? -result->res : 0;
	return result->res;
}

static long by_uring(const char *path)
{
	return ring_request(path, 0);
}

static long by_uring_async(const char *path)
{
	return ring_request(path, IOSQE_ASYNC);
}

static const struct {
	const char *name;
	long (*open)(const char *path);
} ways[] = {
	{"open", by_open},   {"openat2", by_openat2},	      {"creat", by_creat},
	{"uring", by_uring}, {"uring-async", by_uring_async},
};

int main(int argc, char **argv)
{
	size_t way = 0;

	while (way < sizeof(ways) / sizeof(*ways) && (argc < 3 || strcmp(ways[way].name, argv[1])))
		way++;
	if (way == sizeof(ways) / sizeof(*ways)) {
		fputs("usage: open_ways open|openat2|creat|uring|uring-async PATH...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		errno = 0;
		if (ways[way].open(argv[i]) < 0)
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
	}
	return 0;
}
