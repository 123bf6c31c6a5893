// SPDX-License-Identifier: Apache-2.0
/*
 * Columns alone: any C struct as a table, JSON or YAML, filtered and sorted, from one static table
 * of its fields. Nothing here knows BPF or containers.
 *
 *   columns [OUTPUT [FIELDS [FILTER]]]      columns json
 *                                           columns columns name,size 'size>1KiB'
 */
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/types.h"
#include "columns/view.h"

struct fruit {
	const char *name;
	g_bytes size;
	g_duration ripens;
	g_errno trouble;
	uint8_t ripe;
};

static const struct fruit fruits[] = {
	{ "apple", 300, 5000000, 0, 1 },
	{ "melon \x1b[31m", 3 << 20, 2500000000, 2, 0 }, /* no escape reaches the terminal */
	{ "plum", 1500, 12000, 13, 1 },
};

#define FIELD(member, kind_, type_, doc_)                                                  \
	{ .name = #member, .kind = kind_, .type = type_, .doc = doc_,                      \
	  .offset = offsetof(struct fruit, member), .size = sizeof(fruits[0].member) }

static const struct field fields[] = {
	FIELD(name, KIND_CSTR, NULL, "What it is called"),
	FIELD(size, KIND_UINT, "g_bytes", "How much of it there is"),
	FIELD(ripens, KIND_UINT, "g_duration", "Time until it can be eaten"),
	FIELD(trouble, KIND_INT, "g_errno", "What is wrong with it"),
	FIELD(ripe, KIND_BOOL, NULL, "Can it be eaten?"),
};

int main(int argc, char **argv)
{
	const char *filter = argc > 3 ? argv[3] : NULL;
	struct view_options o = {
		.output = argc > 1 ? argv[1] : NULL,
		.fields = argc > 2 ? argv[2] : NULL,
		.filters = &filter,
		.n_filters = argc > 3,
		.sort = "-size",
		.fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
	};
	struct schema *s = schema_new(NULL, "fruit", sizeof(struct fruit));
	struct view *v = NULL;
	struct err err = { 0 };
	unsigned int source;
	int r;

	r = schema_add_table(s, fields, array_size(fields), &err);
	r = r ?: schema_finish(s, &err);
	r = r ?: view_new(&o, &v, &err);
	r = r ?: view_add(v, s, VIEW_TABLE_ONCE, &source, &err);
	r = r ?: view_start(v, &err);
	for (size_t i = 0; !r && i < array_size(fruits); i++)
		view_row(v, source,
			 &(struct row){ .part = { &fruits[i] }, .size = { sizeof(fruits[i]) } }, false);
	if (!r) {
		view_table_end(v, source);
		r = view_flush(v);
	}
	if (r)
		fprintf(stderr, "columns: %s\n", err.text);
	view_free(v);
	schema_unref(s);
	return r ? 1 : 0;
}
