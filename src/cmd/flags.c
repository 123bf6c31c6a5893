// SPDX-License-Identifier: Apache-2.0
#include "cmd/flags.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/remote_flags.h"
#include "cmd/report_flags.h"

static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};

static int set_log_level(const struct flag *f, const char *value, struct err *err)
{
	if (log_level_parse(value, &log_level))
		return err_set(err, -EINVAL, "--%s is one of error, warn, info, debug, not '%s'",
			       f->name, value);
	return 0;
}

static const struct flag global_flag_list[] = {
	{"help", 'h', NULL, "Show this help", NULL, NULL, NULL},
	{"log-level", 0, "LEVEL", "What is logged to stderr: error, warn (default), info, debug",
	 set_log_level, NULL, log_levels},
	{0},
};
const struct flag_table global_flags = {"Common flags", global_flag_list};

int flag_on(const struct flag *f, const char *value, struct err *err)
{
	*(bool *)f->to = true;
	return 0;
}

int flag_text(const struct flag *f, const char *value, struct err *err)
{
	*(const char **)f->to = value;
	return 0;
}

int flag_number(const struct flag *f, const char *value, struct err *err)
{
	return parse_u64(value, f->to)
		       ? err_set(err, -EINVAL, "--%s wants a number, not '%s'", f->name, value)
		       : 0;
}

int flag_bytes(const struct flag *f, const char *value, struct err *err)
{
	return parse_bytes(value, f->to)
		       ? err_set(err, -EINVAL, "--%s wants a size such as 64KiB, not '%s'", f->name,
				 value)
		       : 0;
}

int flag_duration(const struct flag *f, const char *value, struct err *err)
{
	size_t len = strlen(value);
	bool bare = len && value[len - 1] >= '0' && value[len - 1] <= '9'; /* also 1.5 */
	_cleanup_(freep) char *text = xasprintf("%s%s", value, bare ? "s" : "");

	return parse_duration(text, f->to)
		       ? err_set(err, -EINVAL,
				 "--%s wants a time such as 10 (seconds) or 500ms, not '%s'",
				 f->name, value)
		       : 0;
}

void flags_init(struct flags *f, const struct command *c)
{
	*f = (struct flags){.command = c};
	for (const struct flag_table *const *t = c->tables; t && *t; t++)
		f->tables[f->n_tables++] = *t;
	f->tables[f->n_tables++] = &global_flags;
}

int flags_add(struct flags *f, const struct flag_table *t, struct err *err)
{
	if (f->n_tables == MAX_FLAG_TABLES)
		return err_set(err, -E2BIG, "more than %d groups of flags", MAX_FLAG_TABLES);
	f->tables[f->n_tables++] = t;
	return 0;
}

/* The tables in one row, as getopt_long wants them. */
struct flag_list {
	const struct flag **flags;
	struct option *options;
	size_t n, room, n_options, room_options;
	char letters[256];
};

static bool known(const struct flag_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->flags[i]->name, name))
			return true;
	return false;
}

/* A name that stands in two tables is the first one's: several gadgets' parameter is one flag. */
static void list_flags(const struct flags *f, struct flag_list *l)
{
	char *at = l->letters;

	l->n = l->n_options = 0;
	at = stpncpy(at, "-:", 3); /* words in their order; ':' for a missing argument */
	for (size_t t = 0; t < f->n_tables; t++) {
		for (const struct flag *flag = f->tables[t]->flags; flag->name; flag++) {
			if (known(l, flag->name))
				continue;
			*grow(&l->options, &l->n_options, &l->room_options) = (struct option){
				.name = flag->name,
				.has_arg = flag->argument ? required_argument : no_argument,
				.val = 256 + (int)l->n,
			};
			*grow(&l->flags, &l->n, &l->room) = flag;
			if (flag->letter && at < l->letters + sizeof(l->letters) - 3) {
				*at++ = flag->letter;
				if (flag->argument)
					*at++ = ':';
				*at = '\0';
			}
		}
	}
	grow(&l->options, &l->n_options, &l->room_options); /* the empty one that ends it */
}

static void list_done(struct flag_list *l)
{
	free(l->flags);
	free(l->options);
}

static const struct flag *by_letter(const struct flag_list *l, int letter)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->flags[i]->letter == letter)
			return l->flags[i];
	return NULL;
}

static const char *flag_name(const void *ctx, size_t i)
{
	const struct flag_list *l = ctx;

	return i < l->n ? l->flags[i]->name : NULL;
}

static int unknown_flag(const struct flag_list *l, const char *word, struct err *err)
{
	_cleanup_(freep) char *name =
		xstrndup(word + strspn(word, "-"), strcspn(word + strspn(word, "-"), "="));
	const char *near = NULL;

	if (word[0] == '-' && word[1] == '-') {
		for (size_t i = 0; *name && i < l->n && !near; i++) /* cut short */
			near = str_starts(l->flags[i]->name, name) ? l->flags[i]->name : NULL;
		near = near ?: nearest(name, flag_name, l);
	}
	if (near)
		return err_set(err, -EINVAL, "unknown flag '%s'; did you mean '--%s'?", word, near);
	return err_set(err, -EINVAL,
		       "unknown flag '%s' (a gadget's own flags stand behind its name)", word);
}

static int one_flag(struct flags *f, const struct flag *flag, struct err *err)
{
	if (flag->set)
		return flag->set(flag, optarg, err);
	f->help = true; /* the only flag without a setter */
	return 0;
}

static void begin(void)
{
	optind = 0; /* a new command line, for glibc */
	opterr = 0;
}

/*
 * As getopt_long(); *ret_flag: the flag that it met, or NULL. A name that is cut short is none:
 * what it is short for would change with every flag that is added.
 */
static int next_flag(const struct flag_list *l, int argc, char **argv, const struct flag **ret_flag)
{
	const char *word = argv[optind ? optind : 1];
	int c = getopt_long(argc, argv, l->letters, l->options, NULL);

	*ret_flag = c >= 256 ? l->flags[c - 256] : by_letter(l, c);
	if (c < 256 || strcspn(word + strlen("--"), "=") == strlen((*ret_flag)->name))
		return c;
	*ret_flag = NULL;
	optopt = 0;
	return '?';
}

static int parse_all(struct flags *f, struct flag_list *l, int argc, char **argv, struct err *err)
{
	begin();
	for (;;) {
		const struct flag *flag;
		size_t tables = f->n_tables;
		int at = optind ? optind : 1, r, c = next_flag(l, argc, argv, &flag);

		if (c == -1)
			break;
		if (c == ':')
			return err_set(err, -EINVAL, "flag '%s' wants a value", argv[optind - 1]);
		if (c == '?') {
			char letter[3] = {'-', (char)optopt, 0};

			if (optopt >= 256)
				return err_set(err, -EINVAL, "flag --%s takes no value",
					       l->flags[optopt - 256]->name);
			return unknown_flag(l, optopt && optopt < 256 ? letter : argv[at], err);
		}
		if (c == 1) {
			if (!f->word)
				return err_set(err, -EINVAL, "unexpected word '%s'", optarg);
			r = f->word(f->ctx, optarg, err);
		} else {
			r = one_flag(f, flag, err);
		}
		if (r)
			return r;
		if (f->n_tables != tables)
			list_flags(f, l);
	}
	for (; optind < argc; optind++) {
		int r = f->word ? f->word(f->ctx, argv[optind], err)
				: err_set(err, -EINVAL, "unexpected word '%s'", argv[optind]);

		if (r)
			return r;
	}
	return 0;
}

int flags_parse(struct flags *f, int argc, char **argv, struct err *err)
{
	struct flag_list l = {0};
	int r = f->command->of_any_report ? report_flags_add(f, NULL, err) : 0;

	if (r)
		return r;
	list_flags(f, &l);
	r = parse_all(f, &l, argc, argv, err);
	list_done(&l);
	return r;
}

const char *flags_peek(const struct command *c, int argc, char **argv, const char *name)
{
	const char *value = NULL;
	const struct flag *flag;
	struct flag_list l = {0};
	struct flags f;

	flags_init(&f, c);
	list_flags(&f, &l);
	begin();
	while (next_flag(&l, argc, argv, &flag) != -1)
		if (flag && !strcmp(flag->name, name))
			value = flag->argument ? optarg : "true";
	list_done(&l);
	return value;
}

static int left_width(const struct flag *flag)
{
	return (int)strlen(flag->name) + 6 + (flag->argument ? (int)strlen(flag->argument) + 1 : 0);
}

static void help_table(const struct flag_table *t)
{
	int width = 0;

	if (!t->flags->name)
		return;
	for (const struct flag *flag = t->flags; flag->name; flag++)
		if (left_width(flag) > width && left_width(flag) <= 34)
			width = left_width(flag);
	printf("\n%s:\n", t->title);
	for (const struct flag *flag = t->flags; flag->name; flag++) {
		char letter[5] = "    ";

		if (flag->letter)
			snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
		printf("  %s--%s%s%s%*s  %s\n", letter, flag->name, flag->argument ? " " : "",
		       flag->argument ? flag->argument : "",
		       width > left_width(flag) ? width - left_width(flag) : 0, "", flag->help);
	}
}

void flags_help(const struct flags *f)
{
	const struct command *c = f->command;

	printf("%s\n\nUsage: %s %s%s%s\n", c->summary, command_program(), c->name,
	       c->usage && *c->usage ? " " : "", c->usage ?: "");
	if (c->description)
		printf("\n%s\n", c->description);
	if (f->about)
		f->about(f->ctx);
	/* What was added last is what the command line named: a gadget's own flags come first. */
	for (size_t i = f->n_tables; i-- > 0;) {
		bool own = true;

		for (const struct flag_table *const *t = c->tables; t && *t; t++)
			own = own && *t != f->tables[i];
		if (own && f->tables[i] != &global_flags)
			help_table(f->tables[i]);
	}
	for (const struct flag_table *const *t = c->tables; t && *t; t++)
		help_table(*t);
	help_table(&global_flags);
}

/* The flag of that table that a word names, with its value behind '=', or NULL there. */
static const struct flag *named(const struct flag_table *t, const char *word,
				const char **ret_value)
{
	for (const struct flag *f = t->flags; f->name; f++) {
		size_t len = strlen(f->name);

		if (!f->set || !f->argument || strncmp(word + 2, f->name, len))
			continue;
		if (word[2 + len] && word[2 + len] != '=')
			continue;
		*ret_value = word[2 + len] ? word + 3 + len : NULL;
		return f;
	}
	return NULL;
}

int flags_leading(int argc, char **argv, struct err *err)
{
	const char *value;
	const struct flag *f =
		named(&global_flags, argv[0], &value) ?: named(&remote_flags, argv[0], &value);
	int n = 1, r;

	if (!f)
		return 0;
	if (!value && argc > 1) {
		value = argv[1];
		n = 2;
	}
	if (!value)
		return err_set(err, -EINVAL, "flag '--%s' wants a value", f->name);
	r = f->set(f, value, err);
	return r ?: n;
}

int command_fail(int r, const struct err *err)
{
	log_error("%s", err->text[0] ? err->text : strerror(-r));
	return status_exit_code(r);
}

bool flags_begin(struct flags *f, int argc, char **argv, int *ret_exit)
{
	struct err err = {0};
	int r = flags_parse(f, argc, argv, &err);

	if (r && !f->help) {
		*ret_exit = command_fail(r, &err);
		return false;
	}
	if (f->help) {
		flags_help(f);
		*ret_exit = EXIT_OK;
		return false;
	}
	return true;
}
