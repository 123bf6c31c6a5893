// SPDX-License-Identifier: Apache-2.0
/*
 * ig completion SHELL: a small script that asks `ig complete WORD…` for candidates, so that what it
 * offers is what this program knows: commands, flags, their values, gadgets and the gadgets' flags.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "cmd/report_flags.h"
#include "cmd/view_flags.h"

static const struct script {
	const char *shell, *text;
} scripts[] = {
	{"bash", "_ig() {\n"
		 "\tlocal IFS=$'\\n'\n"
		 "\tCOMPREPLY=($(compgen -W \"$(ig complete \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" "
		 "2>/dev/null)\" -- "
		 "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
		 "}\n"
		 "complete -o default -F _ig ig\n"},
	{"zsh", "#compdef ig\n"
		"_ig() {\n"
		"\tlocal -a words_\n"
		"\twords_=(${(f)\"$(ig complete ${words[2,CURRENT-1]} 2>/dev/null)\"})\n"
		"\tcompadd -a words_ || _files\n"
		"}\n"
		"compdef _ig ig\n"},
	{"fish", "complete -c ig -a '(ig complete (commandline -opc)[2..-1] 2>/dev/null)'\n"},
};

static const char *opt_shell;

static int set_shell(void *ctx, const char *word, struct err *err)
{
	opt_shell = word;
	return 0;
}

static int completion_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code;

	flags_init(&flags, command_find("completion"));
	flags.word = set_shell;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	for (size_t i = 0; opt_shell && i < array_size(scripts); i++) {
		if (!strcmp(scripts[i].shell, opt_shell)) {
			fputs(scripts[i].text, stdout);
			return EXIT_OK;
		}
	}
	return command_fail(err_set(&err, -EINVAL, "name a shell: bash, zsh or fish"), &err);
}

static void shells(int argc, char **argv)
{
	for (size_t i = 0; i < array_size(scripts); i++)
		puts(scripts[i].shell);
}

static const struct command completion = {
	.name = "completion",
	.summary = "Write a completion script for bash, zsh or fish to stdout",
	.usage = "SHELL",
	.description = "For this session: source <(ig completion bash)",
	.run = completion_main,
	.complete = shells,
};
COMMAND(&completion);

/* The flag that `word` is, of a table. */
static const struct flag *flag_of(const struct flag_table *t, const char *word)
{
	for (const struct flag *f = t->flags; f->name; f++)
		if ((!strncmp(word, "--", 2) && !strcmp(word + 2, f->name)) ||
		    (f->letter && word[0] == '-' && word[1] == f->letter && !word[2]))
			return f;
	return NULL;
}

static void print_flags(const struct flag_table *t)
{
	for (const struct flag *f = t->flags; f->name; f++)
		printf("--%s\n", f->name);
}

/* argv: what stands on the command line before the word that is being typed. */
static int complete_main(int argc, char **argv)
{
	const struct command *c;
	const struct flag *last = NULL;
	int n;

	while (argc > 1 && str_starts(argv[1], "--") &&
	       (n = flags_leading(argc - 1, argv + 1, NULL)) > 0) {
		argc -= n;
		argv += n;
	}
	c = argc > 1 ? command_find(argv[1]) : NULL;
	if (argc <= 1) {
		for (size_t i = 0; (c = command_nth(i)); i++)
			puts(c->name);
		return EXIT_OK;
	}
	if (!c)
		return EXIT_OK;
	for (const struct flag_table *const *t = c->tables; t && *t && !last; t++)
		last = flag_of(*t, argv[argc - 1]);
	last = last ?: flag_of(&global_flags, argv[argc - 1]);
	if (last && last->argument) {
		for (const char *const *w = last->words; w && *w; w++)
			puts(*w);
		if (view_flags_is_output(last))
			report_flags_complete(argc - 1, argv + 1);
		return EXIT_OK;
	}
	if (c->complete)
		c->complete(argc - 1, argv + 1);
	for (const struct flag_table *const *t = c->tables; t && *t; t++)
		print_flags(*t);
	print_flags(&global_flags);
	return EXIT_OK;
}

static const struct command complete = {
	.name = "complete",
	.summary = "Candidates for the next word; used by the completion scripts",
	.hidden = true,
	.run = complete_main,
};
COMMAND(&complete);
