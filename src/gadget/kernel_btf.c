// SPDX-License-Identifier: Apache-2.0
/*
 * Which kernel types an object looks at (its CO-RE relocations say so), and the cache of reduced
 * BTF files. A cache file is BTF, which may be followed by anything, and a trailer that says
 * for which kernel, boot and names it was made, with a checksum over all of it: a file that was
 * cut short or that somebody else put there is made anew.
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

#define RUN_DIR "/run/ig"
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

/* ---- cache ------------------------------------------------------------------------------- */

#define TRAILER_MAGIC 0x31524b4654424749ull

struct trailer {
	uint64_t magic;
	uint64_t sum;	   /* of all bytes before the trailer */
	uint32_t key_size; /* bytes of the key, which stands before the trailer */
	uint32_t btf_size;
};

static uint64_t checksum(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211ull;
	return h;
}

/* What the reduced BTF depends on: this boot of this kernel, and the names. */
static int make_key(const char *names, struct buf *key)
{
	struct stat st;
	int rc = buf_read_file(key, AT_FDCWD, "/proc/sys/kernel/random/boot_id");

	if (rc)
		return rc;
	if (stat(VMLINUX, &st))
		return -errno;
	buf_printf(key, "%lld\n", (long long)st.st_size);
	buf_str(key, names);
	return key->failed ? -EFBIG : 0;
}

/* A directory of ours that nobody else may write to; it is made where it is missing. */
static int open_own_dir(int parent, const char *path)
{
	if (mkdirat(parent, path, 0755) && errno != EEXIST)
		return -errno;
	_cleanup_(closep) int fd =
		openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return take_fd(&fd);
}

static bool cache_valid(int fd, const struct buf *key)
{
	_cleanup_(buf_done) struct buf b;
	struct trailer t;
	struct stat st;

	buf_init(&b, MAX_REDUCED_BYTES + MAX_NAMES_BYTES);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) || buf_read_fd(&b, fd) || b.len < sizeof(t))
		return false;
	memcpy(&t, b.data + b.len - sizeof(t), sizeof(t));
	b.len -= sizeof(t);
	return t.magic == TRAILER_MAGIC && t.key_size == key->len &&
	       (uint64_t)t.btf_size + t.key_size == b.len &&
	       !memcmp(b.data + t.btf_size, key->data, key->len) &&
	       t.sum == checksum(b.data, b.len);
}

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

/* Another process may make the same file at the same time: each writes its own and renames it. */
static int store(int dir, const char *name, const struct buf *content)
{
	_cleanup_(freep) char *temporary = xasprintf(".%s.%d", name, (int)getpid());

	unlinkat(dir, temporary, 0); /* of an earlier process with our number that was killed */
	_cleanup_(closep) int fd =
		openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, content);
	if (!rc && renameat(dir, temporary, dir, name))
		rc = -errno;
	if (rc) {
		unlinkat(dir, temporary, 0);
		return rc;
	}
	return take_fd(&fd);
}

static int store_in_memory(const struct buf *content, struct err *err)
{
	_cleanup_(closep) int fd = memfd_create("ig-btf", MFD_CLOEXEC);
	int rc = fd < 0 ? -errno : write_all(fd, content);

	if (rc)
		return err_set(err, rc, "no memory for the kernel's types");
	return take_fd(&fd);
}

static int make_content(const char *names, const struct buf *key, struct buf *ret, struct err *err)
{
	_cleanup_(munmap_bytes) struct bytes raw = {};
	struct trailer t = { .magic = TRAILER_MAGIC };
	int rc = map_vmlinux(&raw, err);

	if (rc)
		return rc;
	rc = btf_reduce(raw.data, raw.size, names, ret);
	if (rc)
		return err_set(err, -ENOTSUP, "cannot read the kernel's types in %s", VMLINUX);
	t.btf_size = ret->len;
	t.key_size = key->len;
	buf_add(ret, key->data, key->len);
	t.sum = checksum(ret->data, ret->len);
	buf_add(ret, &t, sizeof(t));
	return ret->failed ? err_set(err, -EFBIG, "too many kernel types") : 0;
}

static int open_cache_dir(const char *run_dir)
{
	_cleanup_(closep) int run = open_own_dir(AT_FDCWD, run_dir);

	return run < 0 ? run : open_own_dir(run, "btf");
}

static int open_reduced(const char *run_dir, const char *names, struct err *err)
{
	_cleanup_(buf_done) struct buf key, content;
	_cleanup_(closep) int dir = open_cache_dir(run_dir);
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *name = NULL;

	buf_init(&key, MAX_NAMES_BYTES);
	buf_init(&content, MAX_REDUCED_BYTES);
	if (make_key(names, &key) && dir >= 0) {
		close(dir);
		dir = -EIO;
	}
	if (dir >= 0) {
		name = xasprintf("%016llx.btf", (unsigned long long)checksum(key.data, key.len));
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && cache_valid(fd, &key))
			return take_fd(&fd);
	}
	int rc = make_content(names, &key, &content, err);
	if (rc)
		return rc;
	if (dir >= 0) {
		rc = store(dir, name, &content);
		if (rc >= 0)
			return rc;
	}
	return store_in_memory(&content, err);
}

int kernel_btf_open_at(const char *run_dir, const void *elf, size_t size, struct kernel_btf *ret,
		       struct err *err)
{
	_cleanup_(buf_done) struct buf names;
	bool whole;

	ret->fd = -1;
	buf_init(&names, MAX_NAMES_BYTES);
	int rc = kernel_btf_names(elf, size, &names, &whole, err);
	if (rc)
		return rc;
	if (whole || !names.len)
		return 0;
	int fd = open_reduced(run_dir, buf_cstr(&names), err);
	if (fd < 0)
		return fd;
	ret->fd = fd;
	snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", fd);
	return 0;
}

int kernel_btf_open(const void *elf, size_t size, struct kernel_btf *ret, struct err *err)
{
	return kernel_btf_open_at(RUN_DIR, elf, size, ret, err);
}

void kernel_btf_close(struct kernel_btf *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}
