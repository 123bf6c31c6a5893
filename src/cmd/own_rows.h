/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a struct that a command fills itself, shown as the view flags say.
 *
 * Life: zeroed, then own_rows_open(), own_row() for each, own_rows_end() after the last
 * one of a table; own_rows_done() also where opening failed.
 */
#pragma once

#include "cmd/view_flags.h"

struct own_rows {
	struct schema *schema;
	struct view *view;
	unsigned int source;
	uint32_t size;
};

/* name: of the data source; n fields of a struct of `size` bytes. */
int own_rows_open(struct own_rows *o, enum view_source_kind kind, const char *name,
		  const struct field *fields, size_t n, size_t size, struct err *err);
void own_rows_done(struct own_rows *o);

void own_row(struct own_rows *o, const void *data);
/* The table is whole: it is printed. As view_flags_finish(). */
int own_rows_end(struct own_rows *o, struct err *err);
