// SPDX-License-Identifier: Apache-2.0
#include "cmd/own_rows.h"

int own_rows_open(struct own_rows *o, enum view_source_kind kind, const char *name,
		  const struct field *fields, size_t n, size_t size, struct err *err)
{
	struct view_options vo;
	int r;

	view_flags_options(&vo);
	o->size = (uint32_t)size;
	o->schema = schema_new(NULL, name, o->size);
	r = schema_add_table(o->schema, fields, n, err);
	r = r ?: schema_finish(o->schema, err);
	r = r ?: view_new(&vo, &o->view, err);
	r = r ?: view_add(o->view, o->schema, kind, &o->source, err);
	return r ?: view_start(o->view, err);
}

void own_rows_done(struct own_rows *o)
{
	view_free(o->view);
	schema_unref(o->schema);
	*o = (struct own_rows){0};
}

void own_row(struct own_rows *o, const void *data)
{
	const struct row row = {.part = {data}, .size = {o->size}};

	view_row(o->view, o->source, &row, false);
}

int own_rows_end(struct own_rows *o, struct err *err)
{
	view_table_end(o->view, o->source);
	return view_flags_finish(o->view, err);
}
