// SPDX-License-Identifier: Apache-2.0
/*
 * wire_rows FOLDER: for each built-in gadget a GadgetInfo (NAME.info), GadgetEvents with their
 * lengths in front (NAME.events: u32, bytes …), and the rows of its first source as lines of JSON
 * (NAME.json), as they are on the node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/gadget_rows.h"
#include "base/err.h"
#include "columns/json.h"
#include "wire/wire.h"

enum { ROWS = 48 };

static const struct clock_base base = {1700000000123450000};

struct files {
	FILE *info, *events, *json;
};

static FILE *create(const char *folder, const char *gadget, const char *what)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s.%s", folder, gadget, what);
	FILE *f = fopen(path, "we");

	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void put_event(FILE *to, const struct buf *event)
{
	uint32_t len = (uint32_t)event->len;

	fwrite(&len, sizeof(len), 1, to);
	fwrite(event->data, 1, event->len, to);
}

static void put_rows(const struct gadget_source *source, struct wire_source *w,
		     const struct files *to)
{
	struct json_plan *plan = json_plan_new(source->schema, NULL, "", &base);
	struct buf record = {.max = 1 << 16}, event = {.max = 8 << 20}, line = {.max = 1 << 20};
	bool table = source->kind != SOURCE_TRACER;

	for (unsigned int n = 0; n < ROWS; n++) {
		struct container *c = made_container(n % MADE_CONTAINERS);
		struct row row;

		made_record(source->schema, n, &record);
		row = made_row(&record, c);
		buf_clear(&line);
		json_plan_row(plan, &row, false, &line);
		fprintf(to->json, "%s\n", buf_cstr(&line));
		buf_clear(&event);
		if (table ? !wire_table_add(w, &row) : !wire_row_pack(w, &row, n + 1, &event))
			exit(1);
		if (!table)
			put_event(to->events, &event);
		container_unref(c);
	}
	if (table && wire_table_pack(w, 1, &event))
		put_event(to->events, &event);
	json_plan_free(plan);
	buf_done(&record);
	buf_done(&event);
	buf_done(&line);
}

static void put_gadget(const char *name, const char *folder)
{
	const struct gadget_open_options o = {.enrich = container_add_fields};
	struct files to = {create(folder, name, "info"), create(folder, name, "events"),
			   create(folder, name, "json")};
	struct buf info = {.max = 1 << 20};
	struct wire_source *source;
	struct gadget *g;
	struct err err;

	if (gadget_open_builtin(name, &o, &g, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	source = wire_source_new(0, gadget_source(g, 0), false, &base);
	wire_info_pack(&(struct wire_about){.gadget = g, .image = name}, &source, 1, &info);
	fwrite(info.data, 1, info.len, to.info);
	put_rows(gadget_source(g, 0), source, &to);
	wire_source_free(source);
	buf_done(&info);
	gadget_free(g);
	fclose(to.info);
	fclose(to.events);
	fclose(to.json);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		put_gadget(gadget_builtin(i)->name, argv[1]);
	return 0;
}
