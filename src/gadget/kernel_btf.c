// SPDX-License-Identifier: Apache-2.0
/*
 * Which kernel types an object looks at (its CO-RE relocations say so), and a file in memory that
 * holds them. Picking them out takes a few milliseconds, so nothing is kept on disk.
 */
#include "gadget/kernel_btf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/core_relos.h"

#define VMLINUX "/sys/kernel/btf/vmlinux"
#define MAX_NAMES_BYTES (1u << 20)
#define MAX_REDUCED_BYTES (32u << 20)
#define MAX_KERNEL_BTF_BYTES (64u << 20)

struct bytes {
	const unsigned char *data;
	size_t size;
};

/* ---- names that an object's relocations look at ------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, drops doubles, one a line. */
static void put_names(char **names, size_t n, struct buf *ret)
{
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (i && !strcmp(names[i], names[i - 1]))
			continue;
		buf_str(ret, names[i]);
		buf_char(ret, '\n');
	}
}

struct names {
	const struct types *types;
	char **items;
	size_t n, room;
	bool whole; /* ids of kernel types are asked for */
};

static void names_done(struct names *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->items[i]);
	free(a->items);
}

static void add_name(struct names *names, const char *name)
{
	const char *flavour = *name ? strstr(name + 1, "___") : NULL;

	/* The names are kept one a line; no C type's name has such bytes. */
	if (*name && !strchr(name, '\n'))
		*grow(&names->items, &names->n, &names->room) =
			xstrndup(name, flavour ? (size_t)(flavour - name) : strlen(name));
}

static void add_relo(void *ctx, const char *section, const struct bpf_core_relo *relo)
{
	struct names *names = ctx;

	if (relo->kind == BPF_CORE_TYPE_ID_TARGET)
		names->whole = true;
	add_name(names, types_name(names->types, relo->type_id));
}

int kernel_btf_names(const void *elf, size_t size, struct buf *ret, bool *ret_whole,
		     struct err *err)
{
	_cleanup_(object_close) struct object o = {};
	_cleanup_(names_done) struct names names = {};
	int rc = object_open(elf, size, &o, err);

	if (rc)
		return rc;
	names.types = &o.types;
	if (core_relos_each(&o, add_relo, &names))
		return err_set(err, -EINVAL, "malformed relocations in .BTF.ext");
	put_names(names.items, names.n, ret);
	if (ret->failed)
		return err_set(err, -EFBIG, "too many names of kernel types");
	*ret_whole = names.whole;
	return 0;
}

/* ---- the kernel's BTF -------------------------------------------------------------------- */

static void munmap_bytes(struct bytes *b)
{
	if (b->data)
		munmap((void *)b->data, b->size);
}

/* Newer kernels let it be mapped; else it is read into memory that is given back after use. */
static int map_vmlinux(struct bytes *ret, struct err *err)
{
	_cleanup_(closep) int fd = open(VMLINUX, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t have = 0;

	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0 || st.st_size > MAX_KERNEL_BTF_BYTES)
		return err_set(err, -ENOTSUP,
			       "this kernel has no type information (CONFIG_DEBUG_INFO_BTF): no %s",
			       VMLINUX);
	ret->size = st.st_size;
	ret->data = mmap(NULL, ret->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret->data != MAP_FAILED)
		return 0;
	ret->data =
		mmap(NULL, ret->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ret->data == MAP_FAILED) {
		ret->data = NULL;
		return err_set(err, -ENOMEM, "no memory to read %s", VMLINUX);
	}
	while (have < ret->size) {
		ssize_t n = read(fd, (void *)(ret->data + have), ret->size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, n ? -errno : -EIO, "cannot read %s", VMLINUX);
		have += n;
	}
	return 0;
}

bool kernel_btf_has_name(const char *name)
{
	_cleanup_(munmap_bytes) struct bytes raw = {};
	size_t n = strlen(name) + 2;
	_cleanup_(freep) char *word = xcalloc(1, n); /* between the NULs of its neighbours */

	memcpy(word + 1, name, n - 2);
	return !map_vmlinux(&raw, NULL) && memmem(raw.data, raw.size, word, n);
}

/* ---- the file that libbpf is given --------------------------------------------------------- */

static int write_all(int fd, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->data + at, b->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
	}
	return 0;
}

static int reduce_to_file(const char *names, struct err *err)
{
	_cleanup_(munmap_bytes) struct bytes raw = {};
	_cleanup_(buf_done) struct buf reduced;
	_cleanup_(closep) int fd = -1;
	int rc;

	buf_init(&reduced, MAX_REDUCED_BYTES);
	rc = map_vmlinux(&raw, err);
	if (rc)
		return rc;
	rc = btf_reduce(raw.data, raw.size, names, &reduced);
	if (rc)
		return err_set(err, -ENOTSUP, "cannot read the kernel's types in %s", VMLINUX);
	fd = memfd_create("ig-btf", MFD_CLOEXEC);
	rc = fd < 0 ? -errno : write_all(fd, &reduced);
	if (rc)
		return err_set(err, rc, "no memory for the kernel's types");
	return take_fd(&fd);
}

int kernel_btf_open(const void *elf, size_t size, struct kernel_btf *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf names;
	bool whole;
	int fd, rc;

	ret->fd = -1;
	buf_init(&names, MAX_NAMES_BYTES);
	rc = kernel_btf_names(elf, size, &names, &whole, err);
	if (rc)
		return rc;
	if (whole || !names.len)
		return 0;
	fd = reduce_to_file(buf_cstr(&names), err);
	if (fd < 0)
		return fd;
	ret->fd = fd;
	snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", fd);
	return 0;
}

void kernel_btf_close(struct kernel_btf *b)
{
	closep(&b->fd);
	b->fd = -1;
}
