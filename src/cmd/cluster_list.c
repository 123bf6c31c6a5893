// SPDX-License-Identifier: Apache-2.0
/* kubectl gadget list: the gadgets that the agents have. */
#include "cmd/cluster_flags.h"
#include "cmd/flags.h"
#include "cmd/list.h"
#include "cmd/view_flags.h"

static int list(struct cluster *c, const struct words *words, struct err *err)
{
	return list_of(cluster_first(c), err);
}

static int list_main(int argc, char **argv)
{
	return cluster_command("list", argc, argv, NULL, list);
}

static const struct flag_table *const tables[] = {&view_flags, &node_flags, &cluster_flags, NULL};
static const struct command command = {
	.name = "list",
	.summary = "List the gadgets that the agents have",
	.usage = "[FLAGS]",
	.tables = tables,
	.of_kubectl = true,
	.run = list_main,
};
COMMAND(&command);
