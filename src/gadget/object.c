// SPDX-License-Identifier: Apache-2.0
/*
 * A gadget's object file, and the checks before libbpf sees it. libbpf trusts what a compiler
 * wrote: it takes names, ids and sizes without asking. So what it goes by is looked at here first.
 */
#include "gadget/object.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/internal.h"

#define MAX_FUNCTIONS 4096 /* libbpf descends into subprograms recursively */
#define MAX_MAPS 1024

int object_open(const void *bytes, size_t size, struct object *ret, struct err *err)
{
	_cleanup_(object_close) struct object o = {};
	const struct elf_section *btf;
	int r;

	r = elf_file_open(bytes, size, &o.elf, err);
	if (r < 0)
		return r;
	btf = elf_section(&o.elf, ".BTF");
	if (!btf || !btf->data || btf->type != SHT_PROGBITS)
		return err_set(err, -EINVAL, "it has no BTF: compile it with clang -g");
	r = types_open(btf->data, btf->size, &o.types, err);
	if (r < 0)
		return r;
	*ret = o;
	o = (struct object){};
	return 0;
}

void object_close(struct object *o)
{
	types_close(&o->types);
	elf_file_close(&o->elf);
}

int object_variable(const struct object *o, const char *section, uint32_t var,
		    const unsigned char **ret, uint32_t *ret_offset, struct err *err)
{
	const struct elf_section *s = elf_section(&o->elf, section);
	const char *name = types_name(&o->types, var);
	uint64_t size = types_size(&o->types, var);
	struct elf_symbol sym;

	/* The compiler leaves a variable's place to the symbol: in BTF it is 0. */
	if (!s || !s->data || !elf_find_symbol(&o->elf, s, name, &sym))
		return err_set(err, -EINVAL, "variable %s is not in section %s", name, section);
	if (size > s->size - sym.value)
		return err_set(err, -EINVAL, "variable %s lies outside section %s", name, section);
	*ret = s->data + sym.value;
	*ret_offset = (uint32_t)sym.value;
	return 0;
}

/* ---- sections ------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sections are found by name, by us and by libbpf: each name at most once. */
static int check_names(const struct elf_file *f, struct err *err)
{
	_cleanup_(freep) const char **names = xnew_n(const char *, f->n_sections);
	size_t n = 0;

	for (uint32_t i = 1; i < f->n_sections; i++)
		if (f->sections[i].type == SHT_PROGBITS || f->sections[i].type == SHT_NOBITS)
			names[n++] = f->sections[i].name;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(names[i - 1], names[i]))
			return err_set(err, -EINVAL, "it has two sections of one name");
	return 0;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

/* Sections that libbpf treats in ways of its own, and what they must be like. */
static const struct known_section {
	const char *name;
	size_t min_size;
	bool refused;
} known_sections[] = {
	{ "license", 1, false },    { "version", 4, false },	     { ".maps", 0, false },
	{ ".BTF", 1, false },	    { ".BTF.ext", 1, false },	     { "maps", 0, true },
	{ ".struct_ops", 0, true }, { ".struct_ops.link", 0, true },
};

static int check_section(const struct elf_file *f, uint32_t i, struct err *err)
{
	const struct elf_section *s = &f->sections[i];

	if (!printable(s->name))
		return err_set(err, -EINVAL, "the name of section %u is not printable", i);
	for (size_t k = 0; k < array_size(known_sections); k++) {
		const struct known_section *known = &known_sections[k];

		if (strcmp(s->name, known->name))
			continue;
		if (known->refused)
			return err_set(err, -EINVAL, "section %s is not for gadgets", s->name);
		if (s->type != SHT_PROGBITS || s->size < known->min_size || elf_is_code(s))
			return err_set(err, -EINVAL, "section %s is malformed", s->name);
	}
	if (s->type == SHT_REL && f->sections[s->info].type != SHT_PROGBITS)
		return err_set(err, -EINVAL, "section %u has relocations for no data", i);
	if (!elf_is_code(s) && s->flags & SHF_EXECINSTR)
		return err_set(err, -EINVAL, "section %u has code and no bytes", i);
	if (elf_is_code(s) && s->size % 8)
		return err_set(err, -EINVAL, "section %s is not made of whole instructions",
			       s->name);
	return 0;
}

static int check_sections(const struct elf_file *f, struct err *err)
{
	int r;

	for (uint32_t i = 1; i < f->n_sections; i++) {
		r = check_section(f, i, err);
		if (r < 0)
			return r;
	}
	return check_names(f, err);
}

/* ---- programs ------------------------------------------------------------------------ */

static int compare_places(const void *a, const void *b)
{
	const struct elf_symbol *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* A 16-byte instruction of which the function has only the first half: both are written to. */
static bool ends_within_instruction(const struct elf_file *f, const struct elf_symbol *function)
{
	const struct elf_section *s = &f->sections[function->section];

	return s->data[function->value + function->size - 8] == (BPF_LD | BPF_IMM | BPF_DW);
}

static int check_functions(const struct elf_file *f, struct err *err)
{
	_cleanup_(freep) struct elf_symbol *functions = xnew_n(struct elf_symbol, MAX_FUNCTIONS);
	size_t n = 0;

	for (uint32_t i = 1; i < f->n_symbols; i++) {
		struct elf_symbol sym = elf_symbol(f, i);

		if (sym.type != STT_FUNC || !sym.section)
			continue;
		if (n == MAX_FUNCTIONS)
			return err_set(err, -EINVAL, "more than %u functions", MAX_FUNCTIONS);
		if (!*sym.name || !printable(sym.name))
			return err_set(err, -EINVAL, "function %u has no printable name", i);
		if (ends_within_instruction(f, &sym))
			return err_set(err, -EINVAL, "function %s ends within an instruction",
				       sym.name);
		functions[n++] = sym;
	}
	qsort(functions, n, sizeof(*functions), compare_places);
	for (size_t i = 1; i < n; i++)
		if (functions[i].section == functions[i - 1].section &&
		    functions[i].value - functions[i - 1].value < functions[i - 1].size)
			return err_set(err, -EINVAL, "functions %s and %s overlap",
				       functions[i - 1].name, functions[i].name);
	return n ? 0 : err_set(err, -EINVAL, "it has no program");
}

/* ---- variables and maps -------------------------------------------------------------- */

/* A number in a map's definition is the length of an array that a pointer points to. */
static bool map_number(const struct types *t, uint32_t type, uint32_t *ret)
{
	uint32_t id = types_strip(t, type, true);

	if (types_kind(t, id) != BTF_KIND_PTR)
		return false;
	id = t->by_id[id]->type;
	if (types_kind(t, id) != BTF_KIND_ARRAY)
		return false;
	*ret = types_array(t, id)->nelems;
	return true;
}

static int check_map(const struct types *t, const char *map, uint32_t def, bool inner,
		     struct err *err);

/* __array(values, …): an array without length of pointers to definitions or programs. */
static int check_map_values(const struct types *t, const char *map, uint32_t type, struct err *err)
{
	uint32_t id = type;

	if (types_kind(t, id) != BTF_KIND_ARRAY || types_array(t, id)->nelems)
		return err_set(err, -EINVAL, "map %s has malformed values", map);
	id = types_strip(t, types_array(t, id)->type, true);
	if (types_kind(t, id) != BTF_KIND_PTR)
		return err_set(err, -EINVAL, "map %s has values that are no pointers", map);
	id = types_strip(t, t->by_id[id]->type, true);
	if (types_kind(t, id) == BTF_KIND_FUNC_PROTO)
		return 0;
	return check_map(t, map, id, true, err);
}

static int check_map(const struct types *t, const char *map, uint32_t def, bool inner,
		     struct err *err)
{
	uint32_t n, number;

	if (types_kind(t, def) != BTF_KIND_STRUCT)
		return err_set(err, -EINVAL, "map %s is not defined by a struct", map);
	n = types_count(t, def);
	for (uint32_t i = 0; i < n; i++) {
		const struct btf_member *m = &types_members(t, def)[i];
		const char *name = types_string(t, m->name_off);

		if (!strcmp(name, "values")) {
			int r;

			if (inner || i != n - 1)
				return err_set(err, -EINVAL, "map %s has misplaced values", map);
			r = check_map_values(t, map, m->type, err);
			if (r < 0)
				return r;
		} else if (!strcmp(name, "key") || !strcmp(name, "value")) {
			if (types_kind(t, m->type) != BTF_KIND_PTR)
				return err_set(err, -EINVAL, "map %s has a malformed %s", map,
					       name);
		} else if (!map_number(t, m->type, &number)) {
			return err_set(err, -EINVAL, "map %s has a malformed %s", map, name);
		} else if (!strcmp(name, "pinning") && number) {
			/* Nothing of ours outlives the process. */
			return err_set(err, -EINVAL, "map %s wants to be pinned", map);
		}
	}
	return 0;
}

static int check_maps(const struct object *o, uint32_t section, struct err *err)
{
	const struct btf_var_secinfo *v = types_vars(&o->types, section);
	const unsigned char *bytes;
	uint32_t offset;
	int r;

	if (types_count(&o->types, section) > MAX_MAPS)
		return err_set(err, -EINVAL, "more than %u maps", MAX_MAPS);
	for (uint32_t i = 0; i < types_count(&o->types, section); i++) {
		const char *name = types_name(&o->types, v[i].type);

		r = object_variable(o, ".maps", v[i].type, &bytes, &offset, err);
		if (r < 0)
			return r;
		r = check_map(&o->types, name,
			      types_strip(&o->types, o->types.by_id[v[i].type]->type, true), false,
			      err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * libbpf takes the size of a variable from here for what it copies; places are zero as clang leaves
 * them, or true.
 */
static int check_variables(const struct object *o, uint32_t id, struct err *err)
{
	const struct types *t = &o->types;
	const struct btf_var_secinfo *v = types_vars(t, id);
	const char *name = types_name(t, id);
	const struct elf_section *s = elf_section(&o->elf, name);
	bool externs = !strcmp(name, ".ksyms") || !strcmp(name, ".kconfig");

	if (!externs && (!s || t->by_id[id]->size > s->size))
		return err_set(err, -EINVAL, "the types describe a section %s that is not so",
			       name);
	for (uint32_t i = 0; i < types_count(t, id); i++) {
		if (types_kind(t, v[i].type) == BTF_KIND_FUNC) {
			if (strcmp(name, ".ksyms"))
				return err_set(err, -EINVAL,
					       "section %s has a function for a variable", name);
		} else if (!externs && (v[i].size < types_size(t, v[i].type) ||
					(uint64_t)v[i].offset + v[i].size > s->size)) {
			return err_set(err, -EINVAL, "variable %s lies outside section %s",
				       types_name(t, v[i].type), name);
		}
	}
	return strcmp(name, ".maps") ? 0 : check_maps(o, id, err);
}

static int check_data(const struct object *o, struct err *err)
{
	int r;

	for (uint32_t id = 1; id <= o->types.n; id++) {
		if (types_kind(&o->types, id) != BTF_KIND_DATASEC)
			continue;
		if (types_find(&o->types, BTF_KIND_DATASEC, types_name(&o->types, id)) != id)
			return err_set(err, -EINVAL, "the types describe section %s twice",
				       types_name(&o->types, id));
		r = check_variables(o, id, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int object_validate(const void *elf, size_t size, struct err *err)
{
	_cleanup_(object_close) struct object o = {};
	const struct elf_section *ext;
	int r;

	r = object_open(elf, size, &o, err);
	if (r < 0)
		return r;
	r = check_sections(&o.elf, err);
	if (r < 0)
		return r;
	r = check_functions(&o.elf, err);
	if (r < 0)
		return r;
	r = check_data(&o, err);
	if (r < 0)
		return r;
	ext = elf_section(&o.elf, ".BTF.ext");
	return ext ? object_check_ext(&o, ext, err) : 0;
}
