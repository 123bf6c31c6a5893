// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: opens files in the ways that a shell does not.
 *   open_ways WAY PATH…    WAY: open, openat2, creat, uring, uring-async, uring-quiet
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

struct ring {
	int fd;
	char *submissions, *completions;
	struct io_uring_params params;
	struct io_uring_sqe *requests;
};

static int ring_open(struct ring *r)
{
	struct io_uring_params *p = &r->params;

	r->fd = syscall(SYS_io_uring_setup, 1, p);
	if (r->fd < 0)
		return -1;
	r->submissions = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(uint32_t),
			      PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->completions = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			      PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->requests = mmap(NULL, p->sq_entries * sizeof(*r->requests), PROT_READ | PROT_WRITE,
			   MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->submissions == MAP_FAILED || r->completions == MAP_FAILED ||
			       r->requests == MAP_FAILED
		       ? -1
		       : 0;
}

/* Waits for `completions`. */
static int ring_request(struct ring *r, struct io_uring_sqe request, unsigned completions)
{
	uint32_t *tail = (uint32_t *)(r->submissions + r->params.sq_off.tail);

	r->requests[0] = request;
	*(uint32_t *)(r->submissions + r->params.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, r->fd, 1, completions, IORING_ENTER_GETEVENTS, NULL, 0);
}

static struct io_uring_sqe open_request(const char *path, uint8_t flags)
{
	return (struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT,
		.flags = flags,
		.fd = AT_FDCWD,
		.addr = (uintptr_t)path,
		.len = 0600,
		.open_flags = O_RDONLY,
	};
}

/* One request through a ring of its own, which stays open. */
static long uring(const char *path, uint8_t flags)
{
	const struct io_uring_cqe *result;
	struct ring r = {};

	if (ring_open(&r) || ring_request(&r, open_request(path, flags), 1) < 0)
		return -1;
	result = (struct io_uring_cqe *)(r.completions + r.params.cq_off.cqes);
	errno = result->res < 0 ? -result->res : 0;
	return result->res;
}

static long by_uring(const char *path)
{
	return uring(path, 0);
}

static long by_uring_async(const char *path)
{
	return uring(path, IOSQE_ASYNC);
}

/* One that asks for no completion if it works, then others that the kernel has the same memory for.
 */
static long by_uring_quiet(const char *path)
{
	struct ring r = {};

	if (ring_open(&r) || ring_request(&r, open_request(path, IOSQE_CQE_SKIP_SUCCESS), 0) < 0)
		return -1;
	for (int i = 0; i < 32; i++)
		if (ring_request(&r, (struct io_uring_sqe){.opcode = IORING_OP_NOP}, 0) < 0)
			return -1;
	return 0;
}

static const struct {
	const char *name;
	long (*open)(const char *path);
} ways[] = {
	{"open", by_open},   {"openat2", by_openat2},	      {"creat", by_creat},
	{"uring", by_uring}, {"uring-async", by_uring_async}, {"uring-quiet", by_uring_quiet},
};

int main(int argc, char **argv)
{
	size_t way = 0;

	while (way < sizeof(ways) / sizeof(*ways) && (argc < 3 || strcmp(ways[way].name, argv[1])))
		way++;
	if (way == sizeof(ways) / sizeof(*ways)) {
		fputs("usage: open_ways open|openat2|creat|uring|uring-async|uring-quiet PATH...\n",
		      stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		errno = 0;
		if (ways[way].open(argv[i]) < 0)
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
	}
	return 0;
}
