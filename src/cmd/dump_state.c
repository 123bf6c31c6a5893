// SPDX-License-Identifier: Apache-2.0
/* ig dump-state: all that a daemon has, for who looks for a fault. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/remote_command.h"
#include "wire/node.pb-c.h"

/* Its lines, without what would steer a terminal. */
static void print(const char *json)
{
	_cleanup_(buf_done) struct buf line = {.max = MAX_GRPC_MESSAGE_BYTES};

	while (*json) {
		size_t n = strcspn(json, "\n");

		buf_clear(&line);
		escape_text(&line, json, n);
		puts(buf_cstr(&line));
		json += n + (json[n] == '\n');
	}
}

static int dump(struct remote *r, const struct words *words, struct err *err)
{
	Ig__V1__DumpStateRequest request = IG__V1__DUMP_STATE_REQUEST__INIT;
	Ig__V1__DumpStateResponse *m = remote_ask(r, "/ig.v1.Node/DumpState", &request.base,
						  &ig__v1__dump_state_response__descriptor, err);

	if (!m)
		return err->code;
	print(m->json);
	ig__v1__dump_state_response__free_unpacked(m, NULL);
	return 0;
}

static int dump_main(int argc, char **argv)
{
	return remote_command("dump-state", argc, argv, NULL, dump);
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command command = {
	.name = "dump-state",
	.summary = "Show as JSON what a daemon has: tracers, instances, runs, containers",
	.usage = "[FLAGS]",
	.tables = tables,
	.run = dump_main,
};
COMMAND(&command);
