// SPDX-License-Identifier: Apache-2.0
/* ig man: ig(8), made from the tables of commands and flags and from the gadgets themselves. */
#include <stdio.h>
#include <string.h>

#include "cmd/flags.h"
#include "gadget/gadget.h"

/* Text of a man page: what roff would take as its own is escaped. */
static void text(const char *s)
{
	bool line_start = true;

	for (; *s; s++) {
		if (line_start && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
		line_start = *s == '\n';
	}
}

static void flag_table(const struct flag_table *t)
{
	printf(".PP\n");
	text(t->title);
	printf(":\n");
	for (const struct flag *f = t->flags; f->name; f++) {
		printf(".TP\n\\fB");
		if (f->letter)
			printf("\\-%c\\fR, \\fB", f->letter);
		printf("\\-\\-");
		text(f->name);
		printf("\\fR");
		if (f->argument)
			printf(" \\fI%s\\fR", f->argument);
		printf("\n");
		text(f->help);
		printf("\n");
	}
}

static void commands(void)
{
	const struct command *c;

	printf(".SH COMMANDS\n");
	for (size_t i = 0; (c = command_nth(i)); i++) {
		printf(".SS \"ig %s %s\"\n", c->name, c->usage ?: "");
		text(c->summary);
		printf(".\n");
		if (c->description) {
			printf(".PP\n");
			text(c->description);
			printf("\n");
		}
		for (const struct flag_table *const *t = c->tables; t && *t; t++)
			flag_table(*t);
	}
	printf(".SH \"COMMON FLAGS\"\n");
	flag_table(&global_flags);
}

static void gadgets(void)
{
	printf(".SH GADGETS\n");
	for (size_t i = 0; i < gadget_builtin_count(); i++) {
		struct gadget *g = NULL;

		if (gadget_open_builtin(gadget_builtin(i)->name, NULL, &g, NULL))
			continue;
		printf(".TP\n\\fB%s\\fR\n", gadget_name(g));
		text(gadget_doc(g));
		printf("\n");
		gadget_free(g);
	}
}

static int man_main(int argc, char **argv)
{
	struct flags flags;
	int exit_code;

	flags_init(&flags, command_find("man"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	puts(".TH IG 8 \"\" \"ig " IG_VERSION "\" \"System Administration\"");
	puts(".SH NAME\nig \\- tells what containers do, as they do it");
	puts(".SH SYNOPSIS\n\\fBig\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR]");
	puts(".SH DESCRIPTION\nRuns eBPF programs, gadgets, that follow containers and tell what "
	     "they do. "
	     "Containers are found by eBPF itself; no runtime needs to help.");
	commands();
	gadgets();
	puts(".SH \"EXIT STATUS\"");
	for (const struct exit_code_doc *d = exit_code_docs; d->meaning; d++) {
		printf(".TP\n%d\n", d->code);
		text(d->meaning);
		printf("\n");
	}
	puts(".SH \"SEE ALSO\"\nThe pages of the gadgets: \\fBig docs\\fR \\fIGADGET\\fR.");
	return EXIT_OK;
}

static const struct command man = {
	.name = "man",
	.summary = "Write the manual page ig(8) to stdout",
	.usage = "",
	.run = man_main,
};
COMMAND(&man);
