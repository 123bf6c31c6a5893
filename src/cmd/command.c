// SPDX-License-Identifier: Apache-2.0
/* The commands there are: they register themselves, in whatever order the linker took them. */
#include "cmd/command.h"

#include <string.h>

const struct command *command_find(const char *name)
{
	for_each_registered(ig_commands, c) if (!strcmp((*c)->name, name)) return *c;
	return NULL;
}

const struct command *command_nth(size_t n)
{
	const struct command *last = NULL;

	for (size_t i = 0; i <= n; i++) {
		const struct command *next = NULL;

		for_each_registered(ig_commands,
				    c) if (!(*c)->hidden &&
					   (!last || strcmp((*c)->name, last->name) > 0) &&
					   (!next || strcmp((*c)->name, next->name) < 0)) next = *c;
		if (!next)
			return NULL;
		last = next;
	}
	return last;
}
