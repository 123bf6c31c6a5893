// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: ends in a way of its own.
 *   crash segv | oom | exit N | storm N | long
 * Before that it says so, by a write() to a descriptor that is not open. oom takes memory until it
 * is killed; storm calls getppid() N times; long makes the longest record that there is.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK (1u << 20)

static void take_memory(void)
{
	for (;;) {
		char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			_exit(9);
		memset(p, 1, CHUNK);
	}
}

static void long_texts(void)
{
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	if (!mount(text, text, text, 0, text))
		_exit(9);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	volatile unsigned long nowhere = 16;
	long n = argc > 2 ? atol(argv[2]) : 0;

	if (write(-1, way, strlen(way)) >= 0)
		return 1;
	if (!strcmp(way, "segv"))
		*(volatile char *)nowhere = 1;
	if (!strcmp(way, "oom"))
		take_memory();
	if (!strcmp(way, "long"))
		long_texts();
	for (long i = 0; !strcmp(way, "storm") && i < n; i++)
		syscall(SYS_getppid);
	_exit(!strcmp(way, "exit") ? (int)n : 0);
}
