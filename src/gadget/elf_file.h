/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a BPF object file (ELF64, little endian, relocatable) that may be hostile. elf_file_open()
 * checks every header, name and offset once; afterwards sections, symbols and relocations may be
 * used without further checks. Nothing is copied: the caller's bytes must outlive the struct.
 *
 * Format: System V ABI (ELF-64) and the kernel's Documentation/bpf/llvm_reloc.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct elf_section {
	const char *name;
	const unsigned char *data; /* NULL where the section has no bytes in the file (.bss) */
	uint64_t size, flags, entry_size;
	uint32_t type, link, info;
};

struct elf_symbol {
	const char *name;
	uint64_t value, size; /* bytes within its section */
	uint32_t section;     /* index; 0: not defined here */
	uint8_t type, binding;
};

struct elf_reloc {
	uint64_t offset; /* bytes within the target section */
	uint32_t symbol; /* index */
	uint32_t type;	 /* R_BPF_… */
};

struct elf_file {
	const unsigned char *bytes;
	size_t size;
	struct elf_section *sections; /* [0] is the empty one */
	uint32_t n_sections;
	uint32_t symtab; /* section of the symbols */
	uint32_t n_symbols;
};

/* *ret is plain data, released by elf_file_close(). -EINVAL names the fault. */
int elf_file_open(const void *bytes, size_t size, struct elf_file *ret, struct err *err);
void elf_file_close(struct elf_file *f);

/* The first section of this name; NULL where there is none. */
const struct elf_section *elf_section(const struct elf_file *f, const char *name);
uint32_t elf_section_index(const struct elf_file *f, const struct elf_section *s);

struct elf_symbol elf_symbol(const struct elf_file *f, uint32_t i);

/* The variable or function `name` defined in section s. */
bool elf_find_symbol(const struct elf_file *f, const struct elf_section *s, const char *name,
		     struct elf_symbol *ret);

/* Entries of a section of type SHT_REL. */
size_t elf_n_relocs(const struct elf_section *s);
struct elf_reloc elf_reloc(const struct elf_section *s, size_t i);

/* Programs live in these. */
bool elf_is_code(const struct elf_section *s);
