/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the types of an object (section .BTF) that may be hostile. types_open() checks all of
 * them once: ids and names in range, kinds known, no type that contains itself, members inside
 * their struct. Afterwards an id between 0 (void) and n may be used without further checks.
 *
 * Format: the kernel's Documentation/bpf/btf.rst. The bytes are copied, so that types are aligned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/btf.h>

struct err;

/* What resolving a type found out. */
struct type_facts {
	uint64_t size;	    /* bytes of a value; 0 where there are none */
	uint32_t first_tag; /* id of the first declaration tag on it; 0: none */
	uint32_t next_tag;  /* of a declaration tag: the next one on the same type */
	uint8_t height;	    /* types within types, itself included; 0: not yet resolved */
	bool visiting;
};

struct types {
	unsigned char *bytes;
	const char *strings;
	uint32_t strings_size;
	const struct btf_type **by_id; /* [0] is void */
	struct type_facts *facts;
	uint32_t n; /* the last id */
};

/* *ret is plain data, released by types_close(). -EINVAL names the fault. */
int types_open(const void *btf, size_t size, struct types *ret, struct err *err);
void types_close(struct types *t);

const struct btf_type *types_get(const struct types *t, uint32_t id);
unsigned int types_kind(const struct types *t, uint32_t id);
const char *types_name(const struct types *t, uint32_t id);	  /* "" where it has none */
const char *types_string(const struct types *t, uint32_t offset); /* NULL: outside */
uint64_t types_size(const struct types *t, uint32_t id);

/* The id behind const, volatile, restrict and type tags; with `typedefs`, behind those as well. */
uint32_t types_strip(const struct types *t, uint32_t id, bool typedefs);

/* The first type of this kind and name; 0: none. */
uint32_t types_find(const struct types *t, unsigned int kind, const char *name);

/* What follows a type's header; of the kind that the name says, BTF_INFO_VLEN of them. */
const struct btf_member *types_members(const struct types *t, uint32_t id);
const struct btf_var_secinfo *types_vars(const struct types *t, uint32_t id);
const struct btf_array *types_array(const struct types *t, uint32_t id);
const struct btf_enum *types_enums(const struct types *t, uint32_t id);
const struct btf_enum64 *types_enums64(const struct types *t, uint32_t id);
uint32_t types_count(const struct types *t, uint32_t id);

/* Place of a member in its struct, in bits, and its width where it is a bitfield (else 0). */
uint32_t types_member_bits(const struct types *t, uint32_t id, uint32_t member,
			   uint32_t *ret_width);

/*
 * The tags of type `id`, or of its member `member` (-1: of the type itself), that start with
 * `prefix`: the text behind it, in the order of the source. `*cursor` is 0 at first; NULL: no more.
 */
const char *types_tag(const struct types *t, uint32_t id, int member, const char *prefix,
		      uint32_t *cursor);
