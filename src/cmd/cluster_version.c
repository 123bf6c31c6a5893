// SPDX-License-Identifier: Apache-2.0
/* kubectl gadget version: of this program and of the agents. */
#include <stdio.h>
#include <string.h>

#include "cmd/cluster_flags.h"
#include "cmd/flags.h"

static int print(struct cluster *c, const struct words *words, struct err *err)
{
	size_t others = 0;

	puts("client v" IG_VERSION);
	for (size_t i = 0; i < cluster_n_nodes(c); i++) {
		const struct cluster_node *n = cluster_node(c, i);

		if (!n->version)
			continue;
		printf("node %s %s\n", n->name, n->version);
		others += strcmp(n->version, "v" IG_VERSION) != 0;
	}
	return others ? err_set(err, -EPROTONOSUPPORT, "%zu of the agents are of another version",
				others)
		      : 0;
}

static int version_main(int argc, char **argv)
{
	return cluster_command("version", argc, argv, NULL, print);
}

static const struct flag_table *const tables[] = {&node_flags, &cluster_flags, NULL};
static const struct command command = {
	.name = "version",
	.summary = "Show the versions of this program and of the agents",
	.usage = "[FLAGS]",
	.tables = tables,
	.of_kubectl = true,
	.run = version_main,
};
COMMAND(&command);
