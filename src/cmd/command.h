/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand is one file in cmd/ that ends with COMMAND(&name). Its options are a table, which parsing, --help,
 * shell completion and the man page are made from; options that are only known at run time (a gadget's parameters) are a second
 * table that the command builds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/registry.h"

struct err;

struct option_spec {
	const char *name;	/* long name, without dashes */
	char letter;		/* 0: none */
	const char *argument;	/* "FILE"; NULL: a switch */
	const char *help;
	const char *group;	/* heading in the help; NULL: "Options" */
	/* Exactly one of: */
	const char **text;	/* last one wins */
	bool *on;
	int (*set)(void *ctx, const struct option_spec *spec, const char *value, struct err *err);
	void *ctx;
	const char *const *words; /* possible values, NULL-terminated, for completion; may be NULL */
};

struct command {
	const char *name;
	const char *summary;	/* one line */
	const char *usage;	/* "GADGET… [OPTIONS]" */
	const char *description; /* paragraphs for help and man page; may be NULL */
	const struct option_spec *options; /* ends with an empty one; may be NULL */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};

#define COMMAND(c) REGISTER(ig_commands, struct command, c)
REGISTERED(ig_commands, struct command);

/* Exit codes; documented in ig(8). */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,      /* anything that has no code of its own */
	EXIT_USAGE = 2,	      /* command line: unknown flag, field, gadget */
	EXIT_NOT_ALLOWED = 3, /* not root, or the kernel refuses */
	EXIT_UNSUPPORTED = 4, /* no BTF, no such hook */
	EXIT_BAD_OBJECT = 5,  /* a gadget's object or a record file is broken */
};
int exit_code(int err); /* from a -errno */
