/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a program or shared library (ELF64, little endian) by their place in the file.
 * The file may be hostile and may change while it is read: nothing in it is believed, nothing is
 * mapped, and what is read of it is bounded by MAX_SYMBOL_BYTES. Not by libelf, which trusts files
 * more than that.
 *
 * Format: System V ABI (ELF-64); build ids: the note that ld --build-id makes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor, or bytes in memory. */
struct elf_input {
	int fd; /* -1: bytes */
	const unsigned char *bytes;
	size_t size;
};

struct elf;

#define ELF_BUILD_ID_BYTES 20

/*
 * Where the first instruction of each function named in `names` is, as a place in the file; 0 where
 * the file defines none of that name, or not in a part that is executed. Returns how many were
 * found. For probes: without the cost of knowing all functions.
 */
size_t elf_places(const struct elf_input *in, const char *const *names, size_t n,
		  uint64_t *ret_places);

/* -EINVAL: not such a file. One without symbols has none; errors of reading are taken for that. */
int elf_new(const struct elf_input *in, struct elf **ret);
struct elf *elf_free(struct elf *e); /* NULL is fine */

/* As the kernel gives it: shorter ones with zeroes behind. NULL: the file has none. */
const unsigned char *elf_build_id(const struct elf *e);

size_t elf_bytes(const struct elf *e); /* of memory that it holds */

/*
 * The function that the byte at `offset` of the file belongs to, and how far it is from its start.
 * NULL: none is known. The name is the file's: any bytes. It lives as long as e.
 */
const char *elf_function(const struct elf *e, uint64_t offset, uint64_t *ret_distance);
