// SPDX-License-Identifier: Apache-2.0
/* ig list: the gadgets in this program, or in a daemon. */
#include "base/mem.h"
#include "cmd/list.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
#include "cmd/remote_flags.h"
#include "wire/builtins.h"

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

static int show(const Ig__V1__GadgetsResponse *m, struct err *err)
{
	struct own_rows rows = {0};
	int r = own_rows_open(&rows, VIEW_TABLE_ONCE, "gadgets", fields, array_size(fields),
			      sizeof(struct list_row), err);

	for (size_t i = 0; !r && i < m->n_gadgets; i++) {
		const Ig__V1__Gadget *g = m->gadgets[i];

		own_row(&rows, &(struct list_row){g->name, g->aliases, g->kind, g->description});
	}
	r = r ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	return r;
}

int list_of(struct remote *remote, struct err *err)
{
	Ig__V1__GadgetsRequest request = IG__V1__GADGETS_REQUEST__INIT;
	Ig__V1__GadgetsResponse *m = remote_ask(remote, "/ig.v1.Node/Gadgets", &request.base,
						&ig__v1__gadgets_response__descriptor, err);
	int r;

	if (!m)
		return err->code;
	r = show(m, err);
	ig__v1__gadgets_response__free_unpacked(m, NULL);
	return r;
}

static int list_remote(struct err *err)
{
	struct remote *remote;
	int r = remote_flags_open(&remote, err);

	if (r)
		return r;
	r = list_of(remote, err);
	remote_close(remote);
	return r;
}

static int list_here(struct err *err)
{
	Ig__V1__GadgetsResponse *m;
	int r = wire_builtins(&m, err);

	if (r)
		return r;
	r = show(m, err);
	ig__v1__gadgets_response__free_unpacked(m, NULL);
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
	r = remote_flags_given() ? list_remote(&err) : list_here(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&view_flags, &remote_flags, NULL};
static const struct command list = {
	.name = "list",
	.summary = "List the gadgets in this program",
	.usage = "[FLAGS]",
	.tables = tables,
	.run = list_main,
};
COMMAND(&list);
