// SPDX-License-Identifier: Apache-2.0
/* Reading a BPF object file that may be hostile: headers, names, symbols, relocations. */
#include "gadget/elf_file.h"

#include <elf.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#define MAX_SECTIONS 1024

/* llvm_reloc.rst; the system's elf.h knows only the first and the last. */
enum { RELOC_64_64 = 1, RELOC_ABS64 = 2, RELOC_ABS32 = 3, RELOC_NODYLD32 = 4, RELOC_64_32 = 10 };

static const uint8_t reloc_bytes[] = {
	[RELOC_64_64] = 16,   [RELOC_ABS64] = 8, [RELOC_ABS32] = 4,
	[RELOC_NODYLD32] = 4, [RELOC_64_32] = 8,
};

static bool inside(uint64_t offset, uint64_t bytes, uint64_t total)
{
	return offset <= total && bytes <= total - offset;
}

/* A string of a string table, which elf_file_open() saw to end with NUL. NULL: outside. */
static const char *string_at(const struct elf_section *table, uint32_t offset)
{
	return offset < table->size ? (const char *)table->data + offset : NULL;
}

static int check_header(const Elf64_Ehdr *h, size_t size, struct err *err)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return err_set(err, -EINVAL, "not an ELF object file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(err, -EINVAL, "not a 64-bit little-endian ELF file");
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return err_set(err, -EINVAL, "unknown version of ELF");
	if (h->e_machine != EM_BPF)
		return err_set(err, -EINVAL, "not a BPF object: it is for machine %u",
			       h->e_machine);
	if (h->e_type != ET_REL)
		return err_set(err, -EINVAL, "not a relocatable object (ELF type %u)", h->e_type);
	if (h->e_ehsize != sizeof(*h) || h->e_shentsize != sizeof(Elf64_Shdr) || h->e_phnum)
		return err_set(err, -EINVAL, "ELF header has unexpected sizes");
	if (!h->e_shnum || h->e_shnum > MAX_SECTIONS)
		return err_set(err, -EINVAL, "%u sections; between 1 and %u are possible",
			       h->e_shnum, MAX_SECTIONS);
	if (h->e_shoff % 8 || !inside(h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr), size))
		return err_set(err, -EINVAL, "the table of sections lies outside the file");
	if (h->e_shstrndx >= h->e_shnum)
		return err_set(err, -EINVAL, "the section with the names does not exist");
	return 0;
}

static int read_section(struct elf_file *f, uint32_t i, const Elf64_Shdr *h, struct err *err)
{
	struct elf_section *s = &f->sections[i];

	*s = (struct elf_section){
		.size = h->sh_size,
		.flags = h->sh_flags,
		.entry_size = h->sh_entsize,
		.type = h->sh_type,
		.link = h->sh_link,
		.info = h->sh_info,
	};
	if (h->sh_type == SHT_NULL) {
		s->size = 0;
		return 0;
	}
	if (h->sh_size > MAX_OBJECT_BYTES)
		return err_set(err, -EINVAL, "section %u is larger than %u bytes", i,
			       MAX_OBJECT_BYTES);
	if (h->sh_flags & SHF_COMPRESSED)
		return err_set(err, -EINVAL, "section %u is compressed", i);
	if (h->sh_addralign & (h->sh_addralign - 1))
		return err_set(err, -EINVAL, "section %u has an alignment of no power of two", i);
	if (h->sh_type == SHT_NOBITS)
		return 0;
	if (!inside(h->sh_offset, h->sh_size, f->size))
		return err_set(err, -EINVAL, "section %u lies outside the file", i);
	if (h->sh_type == SHT_STRTAB && h->sh_size && f->bytes[h->sh_offset + h->sh_size - 1])
		return err_set(err, -EINVAL, "string table %u has no end", i);
	s->data = f->bytes + h->sh_offset;
	return 0;
}

static int read_sections(struct elf_file *f, const Elf64_Ehdr *h, struct err *err)
{
	Elf64_Shdr row;
	int r;

	f->n_sections = h->e_shnum;
	f->sections = xnew_n(struct elf_section, f->n_sections);
	for (uint32_t i = 0; i < f->n_sections; i++) {
		memcpy(&row, f->bytes + h->e_shoff + i * sizeof(row), sizeof(row));
		r = read_section(f, i, &row, err);
		if (r < 0)
			return r;
	}
	if (f->sections[0].type != SHT_NULL)
		return err_set(err, -EINVAL, "section 0 is not the empty one");
	if (f->sections[h->e_shstrndx].type != SHT_STRTAB)
		return err_set(err, -EINVAL, "section %u is no string table", h->e_shstrndx);
	for (uint32_t i = 0; i < f->n_sections; i++) {
		memcpy(&row, f->bytes + h->e_shoff + i * sizeof(row), sizeof(row));
		f->sections[i].name = string_at(&f->sections[h->e_shstrndx], row.sh_name);
		if (i && !f->sections[i].name)
			return err_set(err, -EINVAL,
				       "the name of section %u lies outside its table", i);
	}
	f->sections[0].name = "";
	return 0;
}

static void read_symbol(const struct elf_file *f, uint32_t i, Elf64_Sym *ret)
{
	memcpy(ret, f->sections[f->symtab].data + (size_t)i * sizeof(*ret), sizeof(*ret));
}

static int check_symbol(const struct elf_file *f, uint32_t i, struct err *err)
{
	const struct elf_section *s;
	Elf64_Sym sym;
	const char *name;

	read_symbol(f, i, &sym);
	name = string_at(&f->sections[f->sections[f->symtab].link], sym.st_name);
	if (!name)
		return err_set(err, -EINVAL, "the name of symbol %u lies outside its table", i);
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS)
		return 0;
	if (sym.st_shndx >= f->n_sections)
		return err_set(err, -EINVAL, "symbol %u lies in section %u, which does not exist",
			       i, sym.st_shndx);
	s = &f->sections[sym.st_shndx];
	if (!inside(sym.st_value, sym.st_size, s->size))
		return err_set(err, -EINVAL, "symbol %u lies outside section %u", i, sym.st_shndx);
	if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC)
		return 0;
	if (!elf_is_code(s))
		return err_set(err, -EINVAL, "symbol %u is a function in section %u without code",
			       i, sym.st_shndx);
	if (!sym.st_size || sym.st_size % 8 || sym.st_value % 8)
		return err_set(err, -EINVAL, "function %u is not made of whole instructions", i);
	return 0;
}

static int read_symbols(struct elf_file *f, struct err *err)
{
	const struct elf_section *s;
	int r;

	for (uint32_t i = 1; i < f->n_sections; i++) {
		if (f->sections[i].type != SHT_SYMTAB)
			continue;
		if (f->symtab)
			return err_set(err, -EINVAL, "it has two symbol tables");
		f->symtab = i;
	}
	if (!f->symtab)
		return err_set(err, -EINVAL, "it has no symbol table");
	s = &f->sections[f->symtab];
	if (s->entry_size != sizeof(Elf64_Sym) || s->size % sizeof(Elf64_Sym))
		return err_set(err, -EINVAL, "the symbol table has entries of unexpected size");
	if (s->link >= f->n_sections || f->sections[s->link].type != SHT_STRTAB)
		return err_set(err, -EINVAL, "the symbol table has no string table");
	f->n_symbols = (uint32_t)(s->size / sizeof(Elf64_Sym));
	for (uint32_t i = 0; i < f->n_symbols; i++) {
		r = check_symbol(f, i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_relocs(const struct elf_file *f, uint32_t index, struct err *err)
{
	const struct elf_section *s = &f->sections[index], *target;

	if (s->entry_size != sizeof(Elf64_Rel) || s->size % sizeof(Elf64_Rel))
		return err_set(err, -EINVAL, "relocations in section %u have an unexpected size",
			       index);
	if (!s->info || s->info >= f->n_sections || s->link != f->symtab)
		return err_set(err, -EINVAL, "relocations in section %u belong to no section",
			       index);
	target = &f->sections[s->info];
	for (size_t i = 0; i < elf_n_relocs(s); i++) {
		struct elf_reloc r = elf_reloc(s, i);
		uint64_t bytes;

		if (r.type >= array_size(reloc_bytes) || !reloc_bytes[r.type])
			return err_set(err, -EINVAL,
				       "relocation %zu of section %u is of unknown type %u", i,
				       index, r.type);
		if (r.symbol >= f->n_symbols)
			return err_set(err, -EINVAL,
				       "relocation %zu of section %u names symbol %u, which does "
				       "not exist",
				       i, index, r.symbol);
		/* An address takes 8 bytes in data, an instruction pair in code. */
		bytes = r.type == RELOC_64_64 && !elf_is_code(target) ? 8 : reloc_bytes[r.type];
		if (!inside(r.offset, bytes, target->size))
			return err_set(err, -EINVAL,
				       "relocation %zu of section %u lies outside section %u", i,
				       index, s->info);
		if (elf_is_code(target) && r.offset % 8)
			return err_set(err, -EINVAL,
				       "relocation %zu of section %u is within an instruction", i,
				       index);
	}
	return 0;
}

int elf_file_open(const void *bytes, size_t size, struct elf_file *ret, struct err *err)
{
	_cleanup_(elf_file_close) struct elf_file f = { .bytes = bytes, .size = size };
	Elf64_Ehdr h;
	int r;

	if (size > MAX_OBJECT_BYTES)
		return err_set(err, -EINVAL, "larger than %u bytes", MAX_OBJECT_BYTES);
	if (size < sizeof(h))
		return err_set(err, -EINVAL, "too short for an ELF object file");
	memcpy(&h, bytes, sizeof(h));
	r = check_header(&h, size, err);
	if (r < 0)
		return r;
	r = read_sections(&f, &h, err);
	if (r < 0)
		return r;
	r = read_symbols(&f, err);
	if (r < 0)
		return r;
	for (uint32_t i = 1; i < f.n_sections; i++) {
		if (f.sections[i].type == SHT_RELA)
			return err_set(err, -EINVAL, "section %u has relocations with addends", i);
		if (f.sections[i].type != SHT_REL)
			continue;
		r = check_relocs(&f, i, err);
		if (r < 0)
			return r;
	}
	*ret = f;
	f.sections = NULL;
	return 0;
}

void elf_file_close(struct elf_file *f)
{
	free(f->sections);
	f->sections = NULL;
}

const struct elf_section *elf_section(const struct elf_file *f, const char *name)
{
	for (uint32_t i = 1; i < f->n_sections; i++)
		if (!strcmp(f->sections[i].name, name))
			return &f->sections[i];
	return NULL;
}

uint32_t elf_section_index(const struct elf_file *f, const struct elf_section *s)
{
	return (uint32_t)(s - f->sections);
}

struct elf_symbol elf_symbol(const struct elf_file *f, uint32_t i)
{
	Elf64_Sym sym;

	read_symbol(f, i, &sym);
	return (struct elf_symbol){
		.name = string_at(&f->sections[f->sections[f->symtab].link], sym.st_name),
		.value = sym.st_value,
		.size = sym.st_size,
		.section = sym.st_shndx < f->n_sections ? sym.st_shndx : 0,
		.type = ELF64_ST_TYPE(sym.st_info),
		.binding = ELF64_ST_BIND(sym.st_info),
	};
}

bool elf_find_symbol(const struct elf_file *f, const struct elf_section *s, const char *name,
		     struct elf_symbol *ret)
{
	uint32_t section = elf_section_index(f, s);

	for (uint32_t i = 1; i < f->n_symbols; i++) {
		struct elf_symbol sym = elf_symbol(f, i);

		if (sym.section == section && (sym.type == STT_OBJECT || sym.type == STT_FUNC) &&
		    !strcmp(sym.name, name)) {
			*ret = sym;
			return true;
		}
	}
	return false;
}

size_t elf_n_relocs(const struct elf_section *s)
{
	return s->size / sizeof(Elf64_Rel);
}

struct elf_reloc elf_reloc(const struct elf_section *s, size_t i)
{
	Elf64_Rel rel;

	memcpy(&rel, s->data + i * sizeof(rel), sizeof(rel));
	return (struct elf_reloc){
		.offset = rel.r_offset,
		.symbol = (uint32_t)ELF64_R_SYM(rel.r_info),
		.type = (uint32_t)ELF64_R_TYPE(rel.r_info),
	};
}

bool elf_is_code(const struct elf_section *s)
{
	return s->type == SHT_PROGBITS && s->flags & SHF_EXECINSTR;
}
