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

static void thirty(int tenths)
{
	for (int i = 0; i < 30000 * tenths; i++)
		sink += i;
}

static void seventy(int tenths)
{
	for (int i = 0; i < 70000 * tenths; i++)
		sink += i;
}

/* Never twice as long: turns that are as long as the time between samples would always be met at
 * the same place. */
static void shares(void)
{
	static unsigned int random = 1;

	random = random * 1103515245 + 12345;
	thirty(1 + (random >> 16) % 20);
	seventy(1 + (random >> 16) % 20);
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
		thirty(10);
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
