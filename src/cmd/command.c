// SPDX-License-Identifier: Apache-2.0
/* The commands there are: they register themselves, in whatever order the linker took them. */
#include "cmd/command.h"

#include <string.h>

static bool is_kubectl;

/* kubectl finds a plugin by its name; Krew, which installs plugins, puts _ in place of -. */
void command_set_program(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;

	is_kubectl = !strcmp(name, "kubectl-gadget") || !strcmp(name, "kubectl_gadget");
}

const char *command_program(void)
{
	return is_kubectl ? "kubectl gadget" : "ig";
}

bool command_is_kubectl(void)
{
	return is_kubectl;
}

const struct command *command_find(const char *name)
{
	for_each_registered(ig_commands, c)
		if ((*c)->of_kubectl == is_kubectl && !strcmp((*c)->name, name))
			return *c;
	return NULL;
}

const struct command *command_nth(size_t n)
{
	const struct command *last = NULL;

	for (size_t i = 0; i <= n; i++) {
		const struct command *next = NULL;

		for_each_registered(ig_commands, c)
			if (!(*c)->hidden && (*c)->of_kubectl == is_kubectl &&
			    (!last || strcmp((*c)->name, last->name) > 0) &&
			    (!next || strcmp((*c)->name, next->name) < 0))
				next = *c;
		if (!next)
			return NULL;
		last = next;
	}
	return last;
}
