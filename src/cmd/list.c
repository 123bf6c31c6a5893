// SPDX-License-Identifier: Apache-2.0
/* ig list: the gadgets in this program. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/view_flags.h"
#include "gadget/gadget.h"

struct list_row {
	const char *name, *aliases, *kind, *description;
};

#define TEXT_FIELD(field_, name_, doc_, width_)                                               \
	{                                                                                     \
		.name = name_, .doc = doc_, .kind = KIND_CSTR, .parent = -1, .width = width_, \
		.offset = offsetof(struct list_row, field_), .size = sizeof(const char *)     \
	}
static const struct field fields[] = {
	TEXT_FIELD(name, "name", "Name for `ig run`", 18),
	TEXT_FIELD(kind, "kind", "tracer, top or snapshot", 8),
	TEXT_FIELD(aliases, "aliases", "Other names that it goes by", 22),
	TEXT_FIELD(description, "description", "What it does", 60),
};

static const char *const kinds[] = {
	[SOURCE_TRACER] = "tracer", [SOURCE_TOP] = "top", [SOURCE_SNAPSHOT] = "snapshot"};

static int show(struct view *v, unsigned int source, const char *name, struct err *err)
{
	struct gadget *g = NULL;
	struct buf aliases, first;
	int r = gadget_open_builtin(name, NULL, &g, err);

	if (r)
		return r;
	buf_init(&aliases, 4096);
	buf_init(&first, 4096);
	for (size_t i = 0; i < gadget_n_aliases(g); i++)
		buf_printf(&aliases, "%s%s", i ? "," : "", gadget_alias(g, i));
	buf_add(&first, gadget_doc(g), strcspn(gadget_doc(g), "\n"));
	struct list_row data = {name, buf_cstr(&aliases),
				gadget_n_sources(g) ? kinds[gadget_source(g, 0)->kind] : "",
				buf_cstr(&first)};
	struct row row = {.part = {&data}, .size = {sizeof(data)}};
	view_row(v, source, &row, false);
	buf_done(&aliases);
	buf_done(&first);
	gadget_free(g);
	return 0;
}

static int list_all(struct err *err)
{
	struct schema *s = schema_new(NULL, "gadgets", sizeof(struct list_row));
	struct view_options o;
	struct view *v = NULL;
	unsigned int source;
	int r;

	view_flags_options(&o);
	r = schema_add_table(s, fields, array_size(fields), err);
	r = r ?: schema_finish(s, err);
	r = r ?: view_new(&o, &v, err);
	r = r ?: view_add(v, s, VIEW_TABLE_ONCE, &source, err);
	r = r ?: view_start(v, err);
	for (size_t i = 0; !r && i < gadget_builtin_count(); i++)
		r = show(v, source, gadget_builtin(i)->name, err);
	if (!r) {
		view_table_end(v, source);
		r = view_flags_finish(v, err);
	}
	view_free(v);
	schema_unref(s);
	return r;
}

static int list_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("list"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = list_all(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&view_flags, NULL};
static const struct command list = {
	.name = "list",
	.summary = "List the gadgets in this program",
	.usage = "[FLAGS]",
	.tables = tables,
	.run = list_main,
};
COMMAND(&list);
