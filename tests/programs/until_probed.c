// SPDX-License-Identifier: Apache-2.0
/*
 * until_probed N FILE…: waits until the kernel has put N breakpoints into each file, as it does into every process that maps
 * one: what is mapped then differs from what the file has. What a tracer has to find first is not there at once.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MS_BETWEEN = 20, LOOKS = 1500 };

struct file {
	const uint32_t *probed; /* no two functions begin within one word */
	uint32_t *plain;
	size_t words;
};

static struct file open_file(const char *path)
{
	struct file f;
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", path);
	f.words = (size_t)st.st_size / sizeof(uint32_t);
	f.plain = malloc((size_t)st.st_size);
	if (read(fd, f.plain, (size_t)st.st_size) != st.st_size)
		err(2, "%s: read", path);
	f.probed = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (f.probed == MAP_FAILED)
		err(2, "%s: mmap", path);
	return f;
}

static long count(const struct file *f)
{
	long n = 0;

	for (size_t i = 0; i < f->words; i++)
		n += f->probed[i] != f->plain[i];
	return n;
}

int main(int argc, char **argv)
{
	long wanted, n = 0;

	if (argc < 3)
		errx(2, "usage: until_probed N FILE...");
	wanted = strtol(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++) {
		struct file f = open_file(argv[i]);

		for (int look = 0; (n = count(&f)) < wanted; look++) {
			if (look == LOOKS)
				errx(1, "%s: has %ld probes, not %ld", argv[i], n, wanted);
			nanosleep(&(struct timespec){.tv_nsec = MS_BETWEEN * 1000000}, NULL);
		}
		free(f.plain);
	}
	return 0;
}
