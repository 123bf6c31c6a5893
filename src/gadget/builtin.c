// SPDX-License-Identifier: Apache-2.0
/* The gadgets that are linked into this program, as src/embed.S puts them there: packed. */
#include <string.h>
#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/describe.h"

/* Rows made by src/embed.S; a program without gadgets has no such section. */
extern const struct gadget_object __start_ig_gadgets[] __attribute__((weak));
extern const struct gadget_object __stop_ig_gadgets[] __attribute__((weak));

/* ---- their bytes --------------------------------------------------------------------- */

/* They were packed when this program was made, so that they are right. */
static void *unpack(const struct gadget_object *g, size_t *ret_size)
{
	size_t size = ZSTD_getFrameContentSize(g->packed, g->packed_size);
	void *elf = xcalloc(1, size);

	if (ZSTD_decompress(elf, size, g->packed, g->packed_size) != size)
		abort();
	*ret_size = size;
	return elf;
}

/* ---- their names --------------------------------------------------------------------- */

size_t gadget_builtin_count(void)
{
	return (size_t)(__stop_ig_gadgets - __start_ig_gadgets);
}

/* The linker's order is no promise; there are few enough to find the i-th name by counting. */
const struct gadget_object *gadget_builtin(size_t i)
{
	for (const struct gadget_object *g = __start_ig_gadgets; g < __stop_ig_gadgets; g++) {
		size_t before = 0;

		for (const struct gadget_object *h = __start_ig_gadgets; h < __stop_ig_gadgets; h++)
			before += strcmp(h->name, g->name) < 0;
		if (before == i)
			return g;
	}
	return NULL;
}

/* The names by which a gadget is called: its own first, then its aliases. */
struct names {
	char **items;
	size_t n, room;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
}

static void add_names(struct names *names, const struct gadget_object *g)
{
	size_t size;
	_cleanup_(freep) void *elf = unpack(g, &size);
	_cleanup_(object_close) struct object o = {};
	uint32_t license, cursor = 0;
	const char *alias;

	*grow(&names->items, &names->n, &names->room) = xstrdup(g->name);
	if (object_open(elf, size, &o, NULL) < 0)
		return;
	license = types_find(&o.types, BTF_KIND_VAR, "LICENSE");
	while (license && (alias = types_tag(&o.types, license, -1, "alias:", &cursor)))
		*grow(&names->items, &names->n, &names->room) = xstrdup(alias);
}

static bool is_called(const struct gadget_object *g, const char *name)
{
	_cleanup_(names_done) struct names names = {};
	bool found = false;

	add_names(&names, g);
	for (size_t i = 0; i < names.n && !found; i++)
		found = gadget_same_name(names.items[i], name);
	return found;
}

const struct gadget_object *gadget_builtin_find(const char *name_or_alias)
{
	const struct gadget_object *g;

	for (g = __start_ig_gadgets; g < __stop_ig_gadgets; g++)
		if (gadget_same_name(g->name, name_or_alias))
			return g;
	for (g = __start_ig_gadgets; g < __stop_ig_gadgets; g++)
		if (is_called(g, name_or_alias))
			return g;
	return NULL;
}

static const char *next_name(const void *ctx, size_t i)
{
	const struct names *names = ctx;

	return i < names->n ? names->items[i] : NULL;
}

static int unknown_gadget(const char *name, struct err *err)
{
	_cleanup_(names_done) struct names names = {};
	const char *near;

	for (const struct gadget_object *g = __start_ig_gadgets; g < __stop_ig_gadgets; g++)
		add_names(&names, g);
	near = nearest(name, next_name, &names);
	if (near)
		return err_set(err, -ENOENT, "no gadget '%s'; did you mean '%s'?", name, near);
	return err_set(err, -ENOENT, "no gadget '%s'", name);
}

int gadget_open_builtin(const char *name, const struct gadget_open_options *o, struct gadget **ret,
			struct err *err)
{
	const struct gadget_object *g = gadget_builtin_find(name);
	_cleanup_(freep) void *elf = NULL;
	size_t size;

	if (!g)
		return unknown_gadget(name, err);
	elf = unpack(g, &size);
	return gadget_open_bytes(g->name, elf, size, o, ret, err);
}
