/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand is one file in cmd/ that ends with COMMAND(&name). Its flags are tables, from which
 * parsing, --help, shell completion and the man page are made. A command may add tables while it
 * parses: `ig run` does so for the parameters of each gadget that it meets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/registry.h"
#include "base/status.h"

struct flag;

/* Takes a flag's value; NULL for a switch. */
typedef int flag_fn(const struct flag *f, const char *value, struct err *err);

struct flag {
	const char *name;     /* long name, without dashes; NULL ends a table */
	char letter;	      /* 0: none */
	const char *argument; /* "FILE"; NULL: a switch */
	const char *help;
	flag_fn *set; /* one of the flag_…() below or the command's own */
	void *to;     /* what `set` writes to */
	const char *const
		*words; /* possible values, NULL-terminated, for completion; may be NULL */
};

flag_fn flag_on;       /* bool * */
flag_fn flag_text;     /* const char **: the last one wins */
flag_fn flag_number;   /* uint64_t * */
flag_fn flag_bytes;    /* uint64_t * */
flag_fn flag_duration; /* uint64_t *, ns; a bare number is seconds */

struct flag_table {
	const char *title; /* heading in the help */
	const struct flag *flags;
};

struct command {
	const char *name;
	const char *summary;			/* one line */
	const char *usage;			/* what follows the name: "GADGET… [FLAGS]" */
	const char *description;		/* paragraphs for help and man page; may be NULL */
	const struct flag_table *const *tables; /* NULL-terminated; may be NULL */
	bool hidden;
	bool of_kubectl;    /* of kubectl-gadget, not of ig */
	bool of_any_report; /* whose rows it shows is known late: it has all reports' options */
	int (*run)(int argc,
		   char **argv); /* argv[0] is the command's name; returns the exit code */
	/* Candidates for the word after argv, one a line on stdout; may be NULL. */
	void (*complete)(int argc, char **argv);
};

#define COMMAND(c) REGISTER(ig_commands, struct command, c)
REGISTERED(ig_commands, struct command);

/*
 * Which of the two programs this is, by the name that it was called by; ig, unless it is told. Only
 * that one's commands are found.
 */
void command_set_program(const char *argv0);
const char *command_program(void); /* as users call it: "ig", "kubectl gadget" */
bool command_is_kubectl(void);

const struct command *command_find(const char *name);

/* The i-th visible command in order of name; NULL at the end. */
const struct command *command_nth(size_t i);
