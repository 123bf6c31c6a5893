/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that do nothing but with a daemon: the one that was named, or this node's. */
#pragma once

#include <stddef.h>

#include "cmd/remote_flags.h"

/* The words of a command line that are no flags. */
struct words {
	const char **items;
	size_t n, room;
};

int words_add(void *ctx, const char *word, struct err *err); /* as struct flags' `word` */

typedef int remote_command_fn(struct remote *r, const struct words *words, struct err *err);

/* Parses the flags, connects, and does it; the exit code. what: the words that it wants, for who
 * gives none ("an instance"); NULL: it takes none. */
int remote_command(const char *name, int argc, char **argv, const char *what,
		   remote_command_fn *fn);
