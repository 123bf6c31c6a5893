// SPDX-License-Identifier: Apache-2.0
// also: musl static
/*
 * malloc_ways [BYTES]: calls each function that allocates once, for different sizes, and releases
 * all again. With BYTES: allocates so much ten times, releases one and keeps the others, and 10
 * bytes of what was 4 MiB, for as long as its input lasts.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *volatile kept; /* the compiler does not know that nobody looks */

static void keep(size_t bytes)
{
	char byte;

	for (int i = 0; i < 10; i++)
		kept = malloc(bytes);
	free(kept);
	kept = malloc(4 << 20);
	kept = realloc(kept, 10);
	while (read(0, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	void *aligned = NULL;

	if (argc > 1) {
		keep(strtoul(argv[1], NULL, 0));
		return 0;
	}
	kept = malloc(11111);
	kept = realloc(kept, 22222);
	free(kept);
	kept = calloc(3, 11111);
	free(kept);
	if (posix_memalign(&aligned, 64, 44444) == 0)
		free(aligned);
	kept = aligned_alloc(64, 64 * 700);
	free(kept);
	kept = memalign(64, 55555);
	free(kept);
	kept = mmap(NULL, 77777, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(kept, 77777);
	kept = malloc((size_t)1 << 60);
	return kept != NULL;
}
