// SPDX-License-Identifier: Apache-2.0
#include "cmd/gadget_flags.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/report_flags.h"

/* One gadget's parameters as flags. */
struct gadget_flag_table {
	struct flag_table table;
	struct flag *flags;
	char *title;
	char **helps;
	size_t n;
};

static void table_free(struct gadget_flag_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free((char *)t->flags[i].name);
		free(t->helps[i]);
	}
	free(t->flags);
	free(t->helps);
	free(t->title);
	free(t);
}

static int set_param(const struct flag *f, const char *value, struct err *err)
{
	struct gadget_flags *all = f->to;
	bool set = false;

	for (size_t i = 0; i < all->n; i++) {
		for (size_t p = 0; p < offer_n_params(all->offers[i]); p++) {
			int r;

			if (strcmp(offer_param(all->offers[i], p)->name, f->name))
				continue;
			r = offer_set(all->offers[i], f->name, value ?: "true", err);
			if (r)
				return r;
			set = true;
		}
	}
	return set ? 0 : err_set(err, -ENOENT, "no gadget here has a flag --%s", f->name);
}

/* For the help: "i32" says something to who writes gadgets. */
static const char *argument_name(const char *type)
{
	return (*type == 'i' || *type == 'u') && type[1] >= '0' && type[1] <= '9' ? "N" : type;
}

static struct gadget_flag_table *table_new(struct gadget_flags *all, const struct offer *g)
{
	struct gadget_flag_table *t = xnew(struct gadget_flag_table);

	t->n = offer_n_params(g);
	t->flags = xnew_n(struct flag, t->n + 1);
	t->helps = xnew_n(char *, t->n + 1);
	for (size_t i = 0; i < t->n; i++) {
		const struct gadget_param *p = offer_param(g, i);
		bool is_switch = !strcmp(p->type, "bool") && !strcmp(p->default_text, "false");

		t->helps[i] = xasprintf("%s%s%s%s", p->doc ?: "",
					is_switch || !*p->default_text ? "" : " (default ",
					is_switch ? "" : p->default_text,
					is_switch || !*p->default_text ? "" : ")");
		t->flags[i] = (struct flag){
			.name = xstrdup(p->name),
			.argument = is_switch ? NULL : argument_name(p->type),
			.help = t->helps[i],
			.set = set_param,
			.to = all,
		};
	}
	t->title = xasprintf("Flags of %s", offer_name(g));
	t->table = (struct flag_table){t->title, t->flags};
	return t;
}

static bool has_flag(const struct flag_table *t, const char *name)
{
	for (const struct flag *f = t->flags; f->name; f++)
		if (!strcmp(f->name, name))
			return true;
	return false;
}

/* A parameter that nobody could set is refused, not hidden. */
static int check_names(const struct gadget_flags *all, const struct offer *g, struct err *err)
{
	for (size_t i = 0; i < offer_n_params(g); i++) {
		const char *name = offer_param(g, i)->name;
		bool taken = has_flag(&global_flags, name);

		for (const struct flag_table *const *t = all->flags->command->tables; *t; t++)
			taken = taken || has_flag(*t, name);
		if (taken)
			return err_set(err, -ENOEXEC,
				       "%s: parameter '%s' has the name of ig's own flag '--%s'",
				       offer_name(g), name, name);
	}
	return 0;
}

static int add_one(struct gadget_flags *all, const char *name, struct err *err)
{
	struct offer *g = NULL;
	int r;

	if (all->n == MAX_TRACERS)
		return err_set(err, -EINVAL, "more than %d gadgets at once", MAX_TRACERS);
	r = offer_open(all->remote, name, &g, err);
	if (r)
		return r;
	*grow(&all->offers, &all->n, &all->room) = g;
	r = check_names(all, g, err);
	if (r)
		return r;
	*grow(&all->tables, &all->n_tables, &all->room_tables) = table_new(all, g);
	r = flags_add(all->flags, &all->tables[all->n_tables - 1]->table, err);
	return r ?: report_flags_add(all->flags, offer_name(g), err);
}

static int add_word(void *ctx, const char *word, struct err *err)
{
	_cleanup_(freep) char **names = NULL;
	size_t n = split(word, ',', false, &names);

	for (size_t i = 0; i < n; i++) {
		int r = *names[i] ? add_one(ctx, names[i], err) : 0;

		if (r)
			return r;
	}
	return 0;
}

static void about(void *ctx)
{
	const struct gadget_flags *all = ctx;

	for (size_t i = 0; i < all->n; i++) {
		const struct offer *g = all->offers[i];
		const char *doc = offer_doc(g);
		size_t first = strcspn(doc, "\n");

		printf("\n%s: %.*s.%s\n", offer_name(g), (int)first, doc, doc + first);
		report_flags_about(offer_name(g));
	}
	if (all->n && !command_is_kubectl()) /* which has no such command */
		printf("\n`ig docs GADGET` tells the fields.\n");
}

void gadget_flags_init(struct gadget_flags *g, struct flags *flags, struct remote *remote)
{
	*g = (struct gadget_flags){.flags = flags, .remote = remote};
	flags->word = add_word;
	flags->about = about;
	flags->ctx = g;
}

void gadget_flags_done(struct gadget_flags *g)
{
	for (size_t i = 0; i < g->n; i++)
		offer_free(g->offers[i]);
	for (size_t i = 0; i < g->n_tables; i++)
		table_free(g->tables[i]);
	free(g->offers);
	free(g->tables);
}

/* Names of gadgets, and the flags of those already named. */
void gadget_flags_complete(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
	for (int i = 1; i < argc; i++) {
		struct gadget *g = NULL;

		if (argv[i][0] == '-' || gadget_open_builtin(argv[i], NULL, &g, NULL))
			continue;
		for (size_t p = 0; p < gadget_n_params(g); p++)
			printf("--%s\n", gadget_param(g, p)->name);
		gadget_free(g);
	}
}
