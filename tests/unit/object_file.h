/* SPDX-License-Identifier: Apache-2.0 */
/* The sample gadgets' objects (tests/gadgets), as bytes that a test may spoil. Include after
 * cmocka.h. */
#pragma once

#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/object.h"

/* The build puts them beside the tests' programs. */
static inline char *object_path(const char *name)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	return xasprintf("%s/../gadgets/%s.bpf.o", dirname(self), name);
}

static inline void object_read(const char *name, struct buf *ret)
{
	_cleanup_(freep) char *path = object_path(name);

	buf_init(ret, MAX_OBJECT_BYTES);
	assert_int_equal(buf_read_file(ret, AT_FDCWD, path), 0);
}

static inline Elf64_Ehdr *object_header(struct buf *b)
{
	return (Elf64_Ehdr *)b->data;
}

static inline Elf64_Shdr *object_section(struct buf *b, const char *name)
{
	Elf64_Shdr *s = (Elf64_Shdr *)(b->data + object_header(b)->e_shoff);
	const char *names = b->data + s[object_header(b)->e_shstrndx].sh_offset;

	for (int i = 1; i < object_header(b)->e_shnum; i++)
		if (!strcmp(names + s[i].sh_name, name))
			return &s[i];
	fail_msg("no section %s", name);
	return NULL;
}

/* A type within the bytes, found by kind and name, to be changed in place. */
static inline struct btf_type *object_type(struct buf *b, unsigned int kind, const char *name)
{
	Elf64_Shdr *s = object_section(b, ".BTF");
	struct types t;
	struct btf_type *type;
	uint32_t id;

	assert_int_equal(types_open(b->data + s->sh_offset, s->sh_size, &t, NULL), 0);
	id = types_find(&t, kind, name);
	assert_int_not_equal(id, 0);
	type = (struct btf_type *)(b->data + s->sh_offset +
				   ((const unsigned char *)t.by_id[id] - t.bytes));
	types_close(&t);
	return type;
}

static inline uint32_t object_type_id(struct buf *b, unsigned int kind, const char *name)
{
	Elf64_Shdr *s = object_section(b, ".BTF");
	struct types t;
	uint32_t id;

	assert_int_equal(types_open(b->data + s->sh_offset, s->sh_size, &t, NULL), 0);
	id = types_find(&t, kind, name);
	types_close(&t);
	return id;
}

/* A whole string of the types, to be overwritten with one that is not longer. */
static inline char *object_string(struct buf *b, const char *string)
{
	Elf64_Shdr *s = object_section(b, ".BTF");
	char *at = b->data + s->sh_offset, *end = at + s->sh_size;
	size_t n = strlen(string) + 1;

	for (; at + n <= end; at++)
		if (!memcmp(at, string, n) && !at[-1])
			return at;
	fail_msg("no string '%s'", string);
	return NULL;
}
