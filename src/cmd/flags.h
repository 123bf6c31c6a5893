/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing a command line against flag tables (getopt_long underneath), and the help made from the
 * same tables.
 *
 * Words that are no flags are given to `word` in their order as parsing meets them, so that it can
 * add tables for what comes behind. --help and --log-level are known everywhere.
 */
#pragma once

#include "cmd/command.h"

#define MAX_FLAG_TABLES 80

struct flags {
	const struct command *command;
	const struct flag_table *tables[MAX_FLAG_TABLES];
	size_t n_tables;
	bool help;						   /* --help was given */
	int (*word)(void *ctx, const char *word, struct err *err); /* NULL: no words allowed */
	void (*about)(void *ctx); /* prints more for the help, of the words; may be NULL */
	void *ctx;
};

void flags_init(struct flags *f, const struct command *c);
int flags_add(struct flags *f, const struct flag_table *t,
	      struct err *err); /* -E2BIG past MAX_FLAG_TABLES */
/* -EINVAL with a suggestion for an unknown flag. */
int flags_parse(struct flags *f, int argc, char **argv, struct err *err);
void flags_help(const struct flags *f); /* to stdout */

/*
 * What a flag of the command's tables will be set to, before the command line is parsed as a whole:
 * its last value, "true" for a switch; NULL: it is not there. Flags that are not known yet are
 * passed over, and a word behind one is not taken for its value.
 */
const char *flags_peek(const struct command *c, int argc, char **argv, const char *name);

/*
 * A flag that every command knows and that may stand before its name (--log-level, --remote …): the
 * number of words that it takes of argv. 0: it is none; -EINVAL: no value, or not a good one.
 */
int flags_leading(int argc, char **argv, struct err *err);

/* Both in one: true when the command is to go on, else *ret_exit is its exit code. */
bool flags_begin(struct flags *f, int argc, char **argv, int *ret_exit);

/* Logs the error and gives its exit code. */
int command_fail(int r, const struct err *err);

extern const struct flag_table global_flags;
