// SPDX-License-Identifier: Apache-2.0
/* ig docs: a gadget's page, or the table of all gadgets, in Markdown, from the objects. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "columns/format.h"
#include "columns/report.h"
#include "gadget/fit.h"
#include "gadget/gadget.h"

#define MAX_LIMITS (64u << 10)

static const char *opt_gadget;

static int set_gadget(void *ctx, const char *word, struct err *err)
{
	if (opt_gadget)
		return err_set(err, -EINVAL, "one gadget at a time, not '%s' as well", word);
	opt_gadget = word;
	return 0;
}

static void head(const struct gadget *g)
{
	const char *doc = gadget_doc(g), *rest = strchr(doc, '\n');

	printf("# %s\n\n%.*s.\n", gadget_name(g), (int)strcspn(doc, "\n"), doc);
	if (rest)
		printf("\n%s\n", rest + 1);
	if (gadget_n_aliases(g))
		printf("\nAlso known as");
	for (size_t i = 0; i < gadget_n_aliases(g); i++)
		printf("%s `%s`", i ? "," : "", gadget_alias(g, i));
	if (gadget_n_aliases(g))
		puts(".");
	printf("\n    ig run %s\n", gadget_name(g));
}

static void params(const struct gadget *g)
{
	if (!gadget_n_params(g))
		return;
	puts("\n## Flags\n\n| flag | value | default | meaning |\n|---|---|---|---|");
	for (size_t i = 0; i < gadget_n_params(g); i++) {
		const struct gadget_param *p = gadget_param(g, i);

		printf("| `--%s` | %s | %s | %s |\n", p->name, p->type, p->default_text,
		       p->doc ?: "");
	}
}

static void report(const struct gadget *g)
{
	const struct report *r = report_find(gadget_name(g));

	if (!r)
		return;
	puts(r->so_far
		     ? "\n## Report\n\nWhat its rows say when taken together, written as they come."
		     : "\n## Report\n\nWhat its rows say when taken together, written when the run "
		       "or the replay ends.");
	puts("\n| output mode | what it is |\n|---|---|");
	for (const struct report_mode *m = r->modes; m->name; m++)
		printf("| `-o %s`%s | %s |\n", m->name,
		       m == r->modes && !r->on_request ? " (default)" : "", m->doc);
	if (r->options)
		puts("\n| flag | value | meaning |\n|---|---|---|");
	for (const struct report_option *o = r->options; o && o->name; o++)
		printf("| `--%s` | %s | %s |\n", o->name, o->argument ?: "", o->doc);
}

static const char *type_name(const struct field *f)
{
	static const char *const names[] = {
		[KIND_NONE] = "group",	  [KIND_UINT] = "number", [KIND_INT] = "number",
		[KIND_BOOL] = "yes/no",	  [KIND_CHARS] = "text",  [KIND_BYTES] = "bytes",
		[KIND_TEXT] = "text",	  [KIND_LIST] = "list",	  [KIND_CSTR] = "text",
		[KIND_LABELS] = "labels", [KIND_LABEL] = "text",
	};

	if (f->n_enum_values)
		return "name";
	return f->type && !strncmp(f->type, "g_", 2) ? f->type + 2 : names[f->kind];
}

/* A column unless asked otherwise: not hidden, no mere group, no part of a column. */
static bool is_column(const struct schema *s, const struct field *f)
{
	if (f->flags & FIELD_HIDDEN)
		return false;
	for (int at = f->parent; at >= 0; at = s->fields[at].parent)
		if (!field_is_mere_group(&s->fields[at]))
			return false;
	return true;
}

static void source(const struct gadget_source *s)
{
	static const char *const kinds[] = {
		[SOURCE_TRACER] = "a record for each event",
		[SOURCE_TOP] = "a table at each interval",
		[SOURCE_SNAPSHOT] = "a table, once",
	};

	printf("\n## Fields of `%s`: %s\n\n| field | type | column | meaning "
	       "|\n|---|---|---|---|\n",
	       s->name, kinds[s->kind]);
	for (size_t i = 0; i < s->schema->n_fields; i++) {
		const struct field *f = &s->schema->fields[i];

		if (f->flags & FIELD_INTERNAL || field_is_mere_group(f))
			continue;
		printf("| `%s` | %s | %s | %s |\n", f->name, type_name(f),
		       is_column(s->schema, f) ? "yes" : "", f->doc ?: "");
	}
	puts("\nEvery record also has its container's fields: `runtime.containerName`, "
	     "`runtime.containerId` …");
}

static void kernel_limit(void *ctx, const struct gadget_program *p)
{
	if (p->cannot_tell)
		buf_printf(ctx, "- %s %s `%s`: %s\n", p->group ? "With" : "Without", p->hook,
			   p->target, p->cannot_tell);
}

static int limits(const struct gadget *g, struct err *err)
{
	_cleanup_(buf_done) struct buf by_kernel;
	int r;

	buf_init(&by_kernel, MAX_LIMITS);
	r = gadget_each_program(g, false, kernel_limit, &by_kernel, err);
	if (r || (!gadget_limits(g) && !by_kernel.len))
		return r;
	puts("\n## What it cannot tell\n");
	if (gadget_limits(g))
		puts(gadget_limits(g));
	if (by_kernel.len)
		printf("%sKernels differ in their hooks; `ig doctor %s` says what yours has.\n\n%s",
		       gadget_limits(g) ? "\n" : "", gadget_name(g), buf_cstr(&by_kernel));
	return 0;
}

static int page(const char *name, struct err *err)
{
	struct gadget *g = NULL;
	int r = gadget_open(name, NULL, &g, err);

	if (r)
		return r;
	head(g);
	params(g);
	report(g);
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		source(gadget_source(g, i));
	r = limits(g, err);
	gadget_free(g);
	return r;
}

static int index_of_all(struct err *err)
{
	puts("| gadget | also | what it does |\n|---|---|---|");
	for (size_t i = 0; i < gadget_builtin_count(); i++) {
		struct gadget *g = NULL;
		int r = gadget_open_builtin(gadget_builtin(i)->name, NULL, &g, err);

		if (r)
			return r;
		printf("| `%s` | ", gadget_name(g));
		for (size_t a = 0; a < gadget_n_aliases(g); a++)
			printf("%s%s", a ? ", " : "", gadget_alias(g, a));
		printf(" | %.*s |\n", (int)strcspn(gadget_doc(g), "\n"), gadget_doc(g));
		gadget_free(g);
	}
	return 0;
}

static int docs_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("docs"));
	flags.word = set_gadget;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = opt_gadget ? page(opt_gadget, &err) : index_of_all(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static void complete(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
}

static const struct command docs = {
	.name = "docs",
	.summary = "Show a gadget's page (fields, flags), or the table of all gadgets, as Markdown",
	.usage = "[GADGET]",
	.run = docs_main,
	.complete = complete,
};
COMMAND(&docs);
