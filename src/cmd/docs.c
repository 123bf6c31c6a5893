// SPDX-License-Identifier: Apache-2.0
/* ig docs: the page of a gadget, in Markdown, from its own object. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/flags.h"
#include "columns/format.h"
#include "gadget/gadget.h"

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
	printf("# %s\n\n%s\n", gadget_name(g), gadget_doc(g));
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

		printf("| `--%s` | %s | %s | %s |\n", p->name, p->type, p->default_text, p->doc ?: "");
	}
}

static const char *json_type(const struct field *f)
{
	static const char *const names[] = {
		[KIND_NONE] = "object", [KIND_UINT] = "number", [KIND_INT] = "number", [KIND_BOOL] = "boolean",
		[KIND_CHARS] = "text",	[KIND_BYTES] = "bytes",	[KIND_TEXT] = "text",  [KIND_LIST] = "list of texts",
		[KIND_CSTR] = "text",
	};

	return f->type && !strncmp(f->type, "g_", 2) ? f->type + 2 : names[f->kind];
}

static void source(const struct gadget_source *s)
{
	static const char *const kinds[] = {
		[SOURCE_TRACER] = "a record for each event",
		[SOURCE_TOP] = "a table at each interval",
		[SOURCE_SNAPSHOT] = "a table, once",
	};

	printf("\n## Fields of `%s`: %s\n\n| field | type | shown | meaning |\n|---|---|---|---|\n", s->name,
	       kinds[s->kind]);
	for (size_t i = 0; i < s->schema->n_fields; i++) {
		const struct field *f = &s->schema->fields[i];

		if (f->flags & FIELD_INTERNAL || (f->kind == KIND_NONE && !f->format))
			continue;
		printf("| `%s` | %s | %s | %s |\n", f->name, json_type(f), f->flags & FIELD_HIDDEN ? "" : "yes",
		       f->doc ?: "");
	}
}

static int docs_main(int argc, char **argv)
{
	struct gadget *g = NULL;
	struct err err = { 0 };
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("docs"));
	flags.word = set_gadget;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = opt_gadget ? gadget_open(opt_gadget, NULL, &g, &err) : err_set(&err, -EINVAL, "name a gadget");
	if (r)
		return command_fail(r, &err);
	head(g);
	params(g);
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		source(gadget_source(g, i));
	gadget_free(g);
	return EXIT_OK;
}

static void complete(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
}

static const struct command docs = {
	.name = "docs",
	.summary = "Show a gadget's page: what it tells, its fields and flags",
	.usage = "GADGET",
	.run = docs_main,
	.complete = complete,
};
COMMAND(&docs);
