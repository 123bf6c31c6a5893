// SPDX-License-Identifier: Apache-2.0
/* ig list: the gadgets in this program. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
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

static int show(struct own_rows *rows, const char *name, struct err *err)
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
	own_row(rows,
		&(struct list_row){name, buf_cstr(&aliases),
				   gadget_n_sources(g) ? kinds[gadget_source(g, 0)->kind] : "",
				   buf_cstr(&first)});
	buf_done(&aliases);
	buf_done(&first);
	gadget_free(g);
	return 0;
}

static int list_all(struct err *err)
{
	struct own_rows rows = {0};
	int r = own_rows_open(&rows, VIEW_TABLE_ONCE, "gadgets", fields, array_size(fields),
			      sizeof(struct list_row), err);

	for (size_t i = 0; !r && i < gadget_builtin_count(); i++)
		r = show(&rows, gadget_builtin(i)->name, err);
	r = r ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
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
