// SPDX-License-Identifier: Apache-2.0
#include "symbols/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/mem.h"

bool file_may_hang(int fd)
{
	static const uint64_t kinds[] = {FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,
					 CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC,
					 V9FS_MAGIC,	   AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return true;
	for (size_t i = 0; i < array_size(kinds); i++)
		if ((uint32_t)fs.f_type == kinds[i])
			return true;
	return false;
}

/* Of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
#define PAGE_PRESENT (1ull << 63)
#define PAGE_FRAME ((1ull << 55) - 1)

/* The frame that a mapped page is in; 0: in none, or it is not told. */
static uint64_t frame_of(const void *page, size_t page_bytes)
{
	_cleanup_(closep) int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)page / page_bytes * sizeof(uint64_t));
	uint64_t word = 0;

	if (map < 0 || pread(map, &word, sizeof(word), at) != sizeof(word))
		return 0;
	return word & PAGE_PRESENT ? word & PAGE_FRAME : 0;
}

/* The pages are mapped, never looked at: the file may end before them by now. */
static bool have_same_page(int a, int b)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *x = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, a, 0);
	void *y = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, b, 0);
	uint64_t frame = 0;

	if (x != MAP_FAILED && y != MAP_FAILED)
		frame = frame_of(x, bytes);
	if (frame && frame != frame_of(y, bytes))
		frame = 0;
	if (x != MAP_FAILED)
		munmap(x, bytes);
	if (y != MAP_FAILED)
		munmap(y, bytes);
	return frame;
}

bool file_is_same(int a, int b)
{
	struct stat x, y;

	if (fstat(a, &x) || fstat(b, &y))
		return false;
	if (x.st_dev == y.st_dev && x.st_ino == y.st_ino)
		return true;
	return x.st_size == y.st_size && x.st_mtim.tv_sec == y.st_mtim.tv_sec &&
	       x.st_mtim.tv_nsec == y.st_mtim.tv_nsec && have_same_page(a, b);
}
