// SPDX-License-Identifier: Apache-2.0
#include "cmd/report_flags.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "columns/report.h"
#include "gadget/gadget.h"

static struct labels options;

const struct labels *report_flags_options(void)
{
	return &options;
}

static int set_option(const struct flag *f, const char *value, struct err *err)
{
	labels_add(&options, f->name, value ?: "");
	return 0;
}

/* Flags live as long as the command: from here on. */
static struct flag_table **tables;
static size_t n_tables, room_tables;

static int add_report(struct flags *f, const struct report *r, struct err *err)
{
	struct flag_table *table = xnew(struct flag_table);
	struct flag *flags;
	size_t n = 0;

	while (r->options && r->options[n].name)
		n++;
	*grow(&tables, &n_tables, &room_tables) = table;
	flags = xnew_n(struct flag, n + 1);
	for (size_t i = 0; i < n; i++)
		flags[i] = (struct flag){.name = r->options[i].name,
					 .argument = r->options[i].argument,
					 .help = r->options[i].doc,
					 .set = set_option};
	*table = (struct flag_table){xasprintf("Report of %s", r->gadget), flags};
	return n ? flags_add(f, table, err) : 0;
}

int report_flags_add(struct flags *f, const char *gadget, struct err *err)
{
	int r = 0;

	for_each_registered(ig_reports, report)
		if (!r && (!gadget || !strcmp((*report)->gadget, gadget)))
			r = add_report(f, *report, err);
	return r;
}

void report_flags_about(const char *gadget)
{
	const struct report *r = report_find(gadget);

	if (!r)
		return;
	printf("\nOutput modes of its report, beside columns, json and the like:\n");
	for (const struct report_mode *m = r->modes; m->name; m++)
		printf("  %-12s %s%s\n", m->name, m->doc, m == r->modes && !r->on_request ? " (default)" : "");
}

/* Names and aliases alike. */
static bool names(const struct report *r, const char *word)
{
	const struct gadget_object *g = gadget_builtin_find(word);

	return g && !strcmp(g->name, r->gadget);
}

void report_flags_complete(int argc, char **argv)
{
	bool any = false;

	for (int i = 1; i < argc; i++)
		any = any || gadget_builtin_find(argv[i]);
	for_each_registered(ig_reports, r) {
		bool offered = !any;

		for (int i = 1; i < argc; i++)
			offered = offered || names(*r, argv[i]);
		for (const struct report_mode *m = (*r)->modes; offered && m->name; m++)
			puts(m->name);
	}
}
