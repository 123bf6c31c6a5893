// SPDX-License-Identifier: Apache-2.0
/* ig version */
#include <stdio.h>

#include "cmd/flags.h"

static int version_main(int argc, char **argv)
{
	struct flags flags;
	int exit_code;

	flags_init(&flags, command_find("version"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	puts("ig " IG_VERSION);
	return EXIT_OK;
}

static const struct command version = {
	.name = "version",
	.summary = "Show the version",
	.usage = "",
	.run = version_main,
};
COMMAND(&version);
