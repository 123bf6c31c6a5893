// SPDX-License-Identifier: Apache-2.0
/*
 * load_busy N SECONDS: N processes use all the CPU that they get, a tenth of it in the kernel, and say how much they have
 * done together: "busy LOOPS".
 */
#pragma GCC optimize("O0") /* so that each function has its frame, and is one */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static void work(int depth)
{
	if (depth)
		work(depth - 1);
	for (int i = 0; i < 10000; i++)
		sink += i;
}

static void call(int fd)
{
	static char bytes[1 << 16];

	for (int i = 0; i < 4; i++)
		if (read(fd, bytes, sizeof(bytes)) < 0)
			_exit(1);
}

static void busy(unsigned long *loops, time_t end)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct timespec now = {0};

	while (now.tv_sec < end) {
		work(10);
		call(fd);
		++*loops;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	long n = argc == 3 ? atol(argv[1]) : 0, sum = 0;
	struct timespec now;
	unsigned long *loops;

	if (n < 1)
		return 2;
	loops = mmap(NULL, n * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (long i = 0; i < n; i++)
		if (!fork())
			busy(&loops[i * 8], now.tv_sec + atol(argv[2]));
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < n; i++)
		sum += loops[i * 8];
	printf("busy %ld\n", sum);
	return 0;
}
