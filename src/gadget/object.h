/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gadget's object file: its sections and its types, safe to read. object_validate() (internal.h)
 * checks more: what libbpf is about to rely on.
 */
#pragma once

#include "gadget/btf_types.h"
#include "gadget/elf_file.h"

struct object {
	struct elf_file elf;
	struct types types;
};

/* *ret is plain data, released by object_close(); the bytes must outlive it. */
int object_open(const void *bytes, size_t size, struct object *ret, struct err *err);
void object_close(struct object *o);

/*
 * Finds the bytes of variable `var` (a BTF id) of data section `section` ("." names as in ELF).
 * -EINVAL where they do not lie in it; *ret_offset is within the section.
 */
int object_variable(const struct object *o, const char *section, uint32_t var,
		    const unsigned char **ret, uint32_t *ret_offset, struct err *err);

/* btf_ext.c: checks section .BTF.ext, which ties instructions to types and source lines. */
int object_check_ext(const struct object *o, const struct elf_section *ext, struct err *err);
