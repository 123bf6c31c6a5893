// SPDX-License-Identifier: Apache-2.0
/*
 * burn HOW MS: uses a CPU for so many milliseconds of its time. shares: three tenths of it in thirty(), seven in
 * seventy(); calls: within the kernel, reading zeroes; deep: below 80 calls of deeper().
 */
#pragma GCC optimize("O0") /* so that each function has its frame, and is one */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static void thirty(void)
{
	for (int i = 0; i < 300000; i++)
		sink += i;
}

static void seventy(void)
{
	for (int i = 0; i < 700000; i++)
		sink += i;
}

static void shares(void)
{
	thirty();
	seventy();
}

static void calls(void)
{
	static char bytes[1 << 20];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < 50; i++)
		if (read(fd, bytes, sizeof(bytes)) < 0)
			exit(1);
	close(fd);
}

static void deeper(int n)
{
	if (n)
		deeper(n - 1);
	else
		thirty();
}

static void deep(void)
{
	deeper(80);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {{"shares", shares}, {"calls", calls}, {"deep", deep}};

	if (argc != 3)
		return 2;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i].name, argv[1]) != 0)
			continue;
		while (clock() < atol(argv[2]) * (CLOCKS_PER_SEC / 1000))
			ways[i].run();
		return 0;
	}
	return 2;
}
