// SPDX-License-Identifier: Apache-2.0
/* ig version: of this program, and of the daemon that was named. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/flags.h"
#include "cmd/remote_flags.h"
#include "wire/api.pb-c.h"

static int print_daemons(struct err *err)
{
	_cleanup_(buf_done) struct buf version = {.max = 4096};
	Api__InfoRequest request = API__INFO_REQUEST__INIT;
	struct remote *remote;
	Api__InfoResponse *m;
	int r = remote_flags_open(&remote, err);

	if (r)
		return r;
	m = remote_ask(remote, "/api.BuiltInGadgetManager/GetInfo", &request.base,
		       &api__info_response__descriptor, err);
	remote_close(remote);
	if (!m)
		return err->code;
	escape_text(&version, m->serverversion, strlen(m->serverversion));
	printf("daemon %s\n", buf_cstr(&version));
	api__info_response__free_unpacked(m, NULL);
	return 0;
}

static int version_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r = 0;

	flags_init(&flags, command_find("version"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	puts("ig " IG_VERSION);
	if (remote_flags_given())
		r = print_daemons(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command version = {
	.name = "version",
	.summary = "Show the version",
	.usage = "[FLAGS]",
	.description = "With a daemon: its version as well.",
	.tables = tables,
	.run = version_main,
};
COMMAND(&version);
