// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

enum {
	MAX_SEGMENTS = 64,
	MAX_HEADERS = 4096, /* of sections that are looked at */
	MAX_NOTE_BYTES = 4096,
	MAX_OVERLAPS = 16, /* symbols within a symbol */
	NAME_BITS = 30,
};

/* A loaded part of the file. */
struct segment {
	uint64_t offset, size, address;
	bool executed;
};

struct symbol {
	uint64_t address;
	uint32_t size; /* 0: up to the next */
	uint32_t name; /* in `names`; the two highest bits: less wanted among equals */
};

struct elf {
	struct segment segments[MAX_SEGMENTS];
	size_t n_segments;
	bool has_build_id;
	unsigned char build_id[ELF_BUILD_ID_BYTES];
	struct symbol *symbols; /* by address */
	size_t n_symbols;
	char *names; /* ends with a NUL */
	size_t names_size;
};

static bool read_at(const struct elf_input *in, uint64_t offset, void *to, size_t size)
{
	if (in->fd >= 0) {
		ssize_t n;

		if (offset > INT64_MAX)
			return false;
		while ((n = pread(in->fd, to, size, (off_t)offset)) < 0 && errno == EINTR)
			;
		return n >= 0 && (size_t)n == size; /* a regular file gives all at once */
	}
	if (offset > in->size || size > in->size - offset)
		return false;
	memcpy(to, in->bytes + offset, size);
	return true;
}

/* Allocated bytes of the file with a NUL behind them; NULL where they cannot be read. */
static void *read_new(const struct elf_input *in, uint64_t offset, size_t size)
{
	char *bytes = malloc(size + 1);

	if (!bytes || !read_at(in, offset, bytes, size)) {
		free(bytes);
		return NULL;
	}
	bytes[size] = '\0';
	return bytes;
}

/* ---- segments and build id ------------------------------------------------------------------ */

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static void read_notes(struct elf *e, const struct elf_input *in, const Elf64_Phdr *p)
{
	size_t size = p->p_filesz < MAX_NOTE_BYTES ? (size_t)p->p_filesz : MAX_NOTE_BYTES, at = 0;
	_cleanup_(freep) unsigned char *notes = read_new(in, p->p_offset, size);
	Elf64_Nhdr n;

	while (notes && !e->has_build_id && size - at >= sizeof(n)) {
		size_t name = at + sizeof(n), content;

		memcpy(&n, notes + at, sizeof(n));
		if (n.n_namesz > size || n.n_descsz > size)
			return;
		content = name + align4(n.n_namesz);
		at = content + align4(n.n_descsz);
		if (at > size)
			return;
		if (n.n_type != NT_GNU_BUILD_ID || n.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(notes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) || !n.n_descsz ||
		    n.n_descsz > sizeof(e->build_id))
			continue;
		memcpy(e->build_id, notes + content, n.n_descsz);
		e->has_build_id = true;
	}
}

static void read_segments(struct elf *e, const struct elf_input *in, const Elf64_Ehdr *h)
{
	for (size_t i = 0; i < h->e_phnum && i < 2 * MAX_SEGMENTS; i++) {
		Elf64_Phdr p;

		if (!read_at(in, h->e_phoff + i * sizeof(p), &p, sizeof(p)))
			return;
		if (p.p_type == PT_NOTE && !e->has_build_id)
			read_notes(e, in, &p);
		if (p.p_type == PT_LOAD && e->n_segments < MAX_SEGMENTS)
			e->segments[e->n_segments++] = (struct segment){
				p.p_offset, p.p_filesz, p.p_vaddr, p.p_flags & PF_X};
	}
}

/* ---- symbols -------------------------------------------------------------------------------- */

static bool is_function(const Elf64_Sym *s)
{
	unsigned int type = ELF64_ST_TYPE(s->st_info);

	return s->st_shndx != SHN_UNDEF && s->st_name &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC);
}

/* Of several names of one function people know the global one without underscores. */
static uint32_t rank(const Elf64_Sym *s, const char *name)
{
	return (*name == '_' ? 2u : 0u) + (ELF64_ST_BIND(s->st_info) == STB_LOCAL ? 1u : 0u);
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* A table of symbols as it stands in the file. */
struct table {
	Elf64_Sym *symbols;
	size_t n;
	char *names; /* ends with a NUL */
	size_t names_size;
};

static void table_done(struct table *t)
{
	free(t->symbols);
	free(t->names);
}

/* False where it cannot be used. */
static bool read_table(const struct elf_input *in, const Elf64_Shdr *table,
		       const Elf64_Shdr *strings, struct table *ret)
{
	if (table->sh_entsize != sizeof(*ret->symbols) || !strings->sh_size ||
	    table->sh_size > MAX_SYMBOL_BYTES || strings->sh_size > MAX_SYMBOL_BYTES)
		return false;
	ret->n = table->sh_size / sizeof(*ret->symbols);
	ret->names_size = (size_t)strings->sh_size;
	ret->symbols = read_new(in, table->sh_offset, ret->n * sizeof(*ret->symbols));
	ret->names = read_new(in, strings->sh_offset, ret->names_size);
	return ret->symbols && ret->n && ret->names;
}

/* What is made of a table; true: no other one is looked at. */
typedef bool table_fn(void *ctx, struct table *t);

static bool read_symbols(void *ctx, struct table *t)
{
	struct elf *e = ctx;

	_Static_assert(MAX_SYMBOL_BYTES <= 1u << NAME_BITS, "a name's offset has so many bits");
	e->symbols = malloc(t->n * sizeof(*e->symbols));
	for (size_t i = 0; e->symbols && i < t->n; i++) {
		const Elf64_Sym *s = &t->symbols[i];

		if (!is_function(s) || s->st_name >= t->names_size)
			continue;
		e->symbols[e->n_symbols++] = (struct symbol){
			.address = s->st_value,
			.size = s->st_size < UINT32_MAX ? (uint32_t)s->st_size : UINT32_MAX,
			.name = s->st_name | rank(s, t->names + s->st_name) << NAME_BITS,
		};
	}
	if (!e->n_symbols) {
		free(take(e->symbols));
		return false;
	}
	e->names = take(t->names);
	e->names_size = t->names_size;
	e->symbols = xrealloc(e->symbols, e->n_symbols, sizeof(*e->symbols));
	qsort(e->symbols, e->n_symbols, sizeof(*e->symbols), by_address);
	return true;
}

/* A file has one of each type at most (gABI). */
static void each_table(const struct elf_input *in, const Elf64_Ehdr *h, const uint32_t types[2],
		       table_fn *fn, void *ctx)
{
	_cleanup_(freep) Elf64_Shdr *headers = NULL;

	if (h->e_shentsize != sizeof(*headers) || !h->e_shnum || h->e_shnum > MAX_HEADERS)
		return;
	headers = read_new(in, h->e_shoff, h->e_shnum * sizeof(*headers));
	for (size_t t = 0; headers && t < 2; t++)
		for (size_t i = 0; i < h->e_shnum; i++) {
			_cleanup_(table_done) struct table table = {0};
			const Elf64_Shdr *s = &headers[i];

			if (s->sh_type != types[t])
				continue;
			if (s->sh_link < h->e_shnum &&
			    read_table(in, s, &headers[s->sh_link], &table) && fn(ctx, &table))
				return;
			break;
		}
}

/* ---- the file ------------------------------------------------------------------------------- */

static bool read_header(const struct elf_input *in, Elf64_Ehdr *ret)
{
	return read_at(in, 0, ret, sizeof(*ret)) && !memcmp(ret->e_ident, ELFMAG, SELFMAG) &&
	       ret->e_ident[EI_CLASS] == ELFCLASS64 && ret->e_ident[EI_DATA] == ELFDATA2LSB &&
	       ret->e_phentsize == sizeof(Elf64_Phdr);
}

int elf_new(const struct elf_input *in, struct elf **ret)
{
	/* All functions stand in .symtab; where that was stripped, those that others may call in
	 * .dynsym. */
	static const uint32_t types[] = {SHT_SYMTAB, SHT_DYNSYM};
	struct elf *e;
	Elf64_Ehdr h;

	if (!read_header(in, &h))
		return -EINVAL;
	e = xnew(struct elf);
	read_segments(e, in, &h);
	each_table(in, &h, types, read_symbols, e);
	*ret = e;
	return 0;
}

struct elf *elf_free(struct elf *e)
{
	if (!e)
		return NULL;
	free(e->symbols);
	free(e->names);
	free(e);
	return NULL;
}

const unsigned char *elf_build_id(const struct elf *e)
{
	return e->has_build_id ? e->build_id : NULL;
}

size_t elf_bytes(const struct elf *e)
{
	return sizeof(*e) + e->n_symbols * sizeof(*e->symbols) + e->names_size;
}

static bool address_of(const struct elf *e, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const struct segment *s = &e->segments[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		*ret = s->address + (offset - s->offset);
		return true;
	}
	return false;
}

/* How many symbols begin at or before the address. */
static size_t count_up_to(const struct elf *e, uint64_t address)
{
	size_t low = 0, high = e->n_symbols;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *elf_function(const struct elf *e, uint64_t offset, uint64_t *ret_distance)
{
	const struct symbol *best = NULL;
	uint64_t address;
	size_t after;

	if (!address_of(e, offset, &address))
		return NULL;
	after = count_up_to(e, address);
	for (size_t i = after; i > 0 && after - i < MAX_OVERLAPS; i--) {
		const struct symbol *s = &e->symbols[i - 1];

		if (best && s->address != best->address)
			break;
		if (address - s->address < s->size || (!s->size && i == after))
			best = s; /* of equal addresses the first one, which is the most wanted */
	}
	if (!best)
		return NULL;
	*ret_distance = address - best->address;
	return e->names + (best->name & ((1u << NAME_BITS) - 1));
}

/* ---- functions by name ---------------------------------------------------------------------- */

struct wanted_places {
	const struct elf *e;
	const char *const *names;
	size_t n, n_found;
	uint64_t *places;
};

/* The place in the file; 0: not in it, or not executed. */
static uint64_t place_of(const struct elf *e, uint64_t address)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const struct segment *s = &e->segments[i];

		if (s->executed && address >= s->address && address - s->address < s->size &&
		    s->offset <= INT64_MAX)
			return s->offset + (address - s->address);
	}
	return 0;
}

static bool find_places(void *ctx, struct table *t)
{
	struct wanted_places *w = ctx;

	for (size_t i = 0; i < t->n && w->n_found < w->n; i++) {
		const Elf64_Sym *s = &t->symbols[i];

		/* Not those that the loader chooses among: their first instruction is the choice.
		 */
		if (!is_function(s) || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
		    s->st_name >= t->names_size)
			continue;
		for (size_t k = 0; k < w->n; k++) {
			if (w->places[k] || strcmp(t->names + s->st_name, w->names[k]))
				continue;
			w->places[k] = place_of(w->e, s->st_value);
			w->n_found += w->places[k] != 0;
		}
	}
	return w->n_found == w->n;
}

size_t elf_places(const struct elf_input *in, const char *const *names, size_t n,
		  uint64_t *ret_places)
{
	/* What others may call has the smaller table. */
	static const uint32_t types[] = {SHT_DYNSYM, SHT_SYMTAB};
	_cleanup_(freep) struct elf *e = xnew(struct elf);
	struct wanted_places w = {e, names, n, 0, ret_places};
	Elf64_Ehdr h;

	memset(ret_places, 0, n * sizeof(*ret_places));
	if (!read_header(in, &h))
		return 0;
	read_segments(e, in, &h);
	each_table(in, &h, types, find_places, &w);
	return w.n_found;
}
