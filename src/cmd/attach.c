// SPDX-License-Identifier: Apache-2.0
/*
 * ig attach: the records of an instance that runs at a daemon, and goes on running there; kubectl
 * gadget attach: of one on all nodes that have it.
 */
#include "base/mem.h"
#include "cmd/cluster_flags.h"
#include "cmd/remote_command.h"
#include "cmd/selector_flags.h"
#include "cmd/show_flags.h"
#include "cmd/view_flags.h"

static uint64_t opt_last = UINT64_MAX;

static const struct flag flag_list[] = {
	{"last", 0, "N", "Begin with so many of its last records (default: all that are kept)",
	 flag_number, &opt_last, NULL},
	{0},
};
static const struct flag_table own_flags = {"Attach", flag_list};

/* The one that the command line names, if all else of it is right. */
static int one_instance(const struct words *ids, const char **ret, struct err *err)
{
	if (ids->n > 1)
		return err_set(err, -EINVAL, "one instance at a time, not '%s' as well",
			       ids->items[1]);
	*ret = ids->items[0];
	return show_flags_check(err);
}

static int attach(struct remote *r, const struct words *ids, struct err *err)
{
	struct feed_options feed = {.host = true, .last = opt_last};
	struct offer *offer = NULL;
	struct gadget_flags gadgets = {.remote = r, .offers = &offer, .n = 1};
	int code = one_instance(ids, &feed.instance, err);

	code = code ?: offer_open_instance(r, feed.instance, &offer, err);
	code = code ?: show(&gadgets, &feed, show_flags_options(), err);
	offer_free(offer);
	return code;
}

static int attach_main(int argc, char **argv)
{
	return remote_command("attach", argc, argv, "an instance; `ig ps` lists them", attach);
}

static const struct flag_table *const tables[] = {&own_flags, &view_flags, &show_flags,
						  &remote_flags, NULL};
static const struct command command = {
	.name = "attach",
	.summary = "Show the records of a gadget that runs at a daemon on its own",
	.usage = "NAME|ID [FLAGS]",
	.description = "It runs on when this command ends.",
	.tables = tables,
	.of_any_report = true,
	.run = attach_main,
};
COMMAND(&command);

/* ---- in a cluster ---------------------------------------------------------------- */

/* What one node's instance is, that of the others by this name has to be; -ENOENT: none has it. */
static int find_instance(struct cluster *c, const char *id, struct remote **ret_remote,
			 struct offer **ret, struct err *err)
{
	int r = -ENOENT;

	for (size_t i = 0; r && i < cluster_n_nodes(c); i++) {
		*ret_remote = cluster_node(c, i)->remote;
		if (*ret_remote)
			r = offer_open_instance(*ret_remote, id, ret, err);
	}
	return r;
}

static int cluster_attach(struct cluster *c, const struct words *ids, struct err *err)
{
	struct feed_options feed = {.host = true, .window_ns = 100 * 1000 * 1000, .last = opt_last};
	struct offer *offer = NULL;
	struct gadget_flags gadgets = {.cluster = c, .offers = &offer, .n = 1};
	int r = one_instance(ids, &feed.instance, err);

	selector_flags_of_cluster(NULL);
	r = r ?: find_instance(c, feed.instance, &gadgets.remote, &offer, err);
	r = r ?: show(&gadgets, &feed, show_flags_options(), err);
	offer_free(offer);
	return r;
}

static int cluster_attach_main(int argc, char **argv)
{
	return cluster_command("attach", argc, argv, "an instance; `kubectl gadget ps` lists them",
			       cluster_attach);
}

static const struct flag_table *const cluster_tables[] = {&own_flags,  &node_flags,    &view_flags,
							  &show_flags, &cluster_flags, NULL};
static const struct command cluster_attach_command = {
	.name = "attach",
	.summary = "Show the records of a gadget that runs on the nodes on its own",
	.usage = "NAME|ID [FLAGS]",
	.description = "It runs on when this command ends.",
	.tables = cluster_tables,
	.of_kubectl = true,
	.of_any_report = true,
	.run = cluster_attach_main,
};
COMMAND(&cluster_attach_command);
