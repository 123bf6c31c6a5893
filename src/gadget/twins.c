// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that are the same but for their hook (the exits of open, openat, openat2 and creat): the
 * kernel takes some 10 ms to verify each, so one is loaded and attached to all the hooks. Only for
 * tracepoints, where the kernel guards against recursion by CPU, and user-space probes, which never
 * run within another; elsewhere it does so by program, and a hook within another would be missed.
 */
#include "gadget/run.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gadget/core_relos.h"

/* All that makes up a loaded program, with places counted from its start. */
struct body {
	const char *section;
	struct elf_symbol symbol;
	struct buf bytes;
};

static bool within(const struct body *b, uint64_t offset)
{
	return offset >= b->symbol.value && offset - b->symbol.value < b->symbol.size;
}

static void add_core_relo(void *ctx, const char *section, const struct bpf_core_relo *relo)
{
	struct body *b = ctx;
	struct bpf_core_relo copy = *relo;

	if (strcmp(section, b->section) || !within(b, relo->insn_off))
		return;
	copy.insn_off -= b->symbol.value;
	buf_add(&b->bytes, &copy, sizeof(copy));
}

static void add_relocs(const struct object *o, uint32_t section, struct body *b)
{
	for (uint32_t i = 1; i < o->elf.n_sections; i++) {
		const struct elf_section *s = &o->elf.sections[i];

		if (!s->data || s->info != section || !elf_n_relocs(s) || s->link != o->elf.symtab)
			continue;
		for (size_t k = 0; k < elf_n_relocs(s); k++) {
			struct elf_reloc r = elf_reloc(s, k);
			uint64_t words[3] = { r.offset - b->symbol.value, r.symbol, r.type };

			if (within(b, r.offset))
				buf_add(&b->bytes, words, sizeof(words));
		}
	}
}

static bool read_body(const struct object *o, const struct bpf_program *p, struct body *b)
{
	const struct elf_section *s;

	b->section = bpf_program__section_name(p);
	s = elf_section(&o->elf, b->section);
	if (!s || !s->data || !elf_find_symbol(&o->elf, s, bpf_program__name(p), &b->symbol))
		return false;
	buf_add(&b->bytes, s->data + b->symbol.value, b->symbol.size);
	add_relocs(o, elf_section_index(&o->elf, s), b);
	return !core_relos_each(o, add_core_relo, b) && !b->bytes.failed;
}

static bool same_body(const struct body *a, const struct body *b)
{
	return a->bytes.len && a->bytes.len == b->bytes.len &&
	       !memcmp(a->bytes.data, b->bytes.data, a->bytes.len);
}

void twins_find(struct gadget *g)
{
	struct running *run = g->run;
	struct body *bodies = xnew_n(struct body, run->n_programs);
	_cleanup_(object_close) struct object o = {};
	bool readable = !object_open(g->elf, g->elf_size, &o, NULL);

	for (size_t i = 0; i < run->n_programs; i++) {
		struct program *p = &run->programs[i];

		buf_init(&bodies[i].bytes, MAX_OBJECT_BYTES);
		if (!readable || !hook_shares_programs(p->hook) ||
		    !read_body(&o, p->prog, &bodies[i])) {
			buf_clear(&bodies[i].bytes);
			continue;
		}
		for (size_t k = 0; k < i && !p->twin; k++) {
			if (run->programs[k].twin || run->programs[k].hook != p->hook ||
			    !same_body(&bodies[k], &bodies[i]))
				continue;
			bpf_program__set_autoload(p->prog, false);
			p->prog = run->programs[k].prog;
			p->twin = true;
		}
	}
	for (size_t i = 0; i < run->n_programs; i++)
		buf_done(&bodies[i].bytes);
	free(bodies);
}
