// SPDX-License-Identifier: Apache-2.0
/*
 * ig attach: the records of an instance that runs at a daemon, and goes on running there; kubectl
 * gadget attach: of one on all nodes that have it.
 */
#include "base/mem.h"
#include "cmd/cluster_flags.h"
#include "cmd/remote_command.h"
#include "cmd/selector_flags.h"
#include "cmd/show.h"
#include "cmd/view_flags.h"

static struct {
	uint64_t last, timeout_ns;
	const char *record;
} opt = {.last = UINT64_MAX};

static const struct flag flag_list[] = {
	{"last", 0, "N", "Begin with so many of its last records (default: all that are kept)",
	 flag_number, &opt.last, NULL},
	{"timeout", 't', "TIME", "Stop reading after so many seconds (or 500ms, 2m …)",
	 flag_duration, &opt.timeout_ns, NULL},
	{"record", 'r', "FILE", "Also write the records that pass the filters to FILE", flag_text,
	 &opt.record, NULL},
	{0},
};
static const struct flag_table own_flags = {"Attach", flag_list};

static int read_instance(struct remote *r, const char *id, struct err *err)
{
	const struct show_options so = {.record = opt.record, .timeout_ns = opt.timeout_ns};
	const struct feed_options feed = {.host = true, .instance = id, .last = opt.last};
	struct offer *offer = NULL;
	struct gadget_flags gadgets = {.remote = r, .offers = &offer, .n = 1};
	int code = offer_open_instance(r, id, &offer, err);

	code = code ?: show(&gadgets, &feed, &so, err);
	offer_free(offer);
	return code;
}

static int attach(struct remote *r, const struct words *ids, struct err *err)
{
	return ids->n > 1 ? err_set(err, -EINVAL, "one instance at a time, not '%s' as well",
				    ids->items[1])
			  : read_instance(r, ids->items[0], err);
}

static int attach_main(int argc, char **argv)
{
	return remote_command("attach", argc, argv, "an instance; `ig ps` lists them", attach);
}

static const struct flag_table *const tables[] = {&own_flags, &view_flags, &remote_flags, NULL};
static const struct command command = {
	.name = "attach",
	.summary = "Show the records of a gadget that runs at a daemon on its own",
	.usage = "NAME|ID [FLAGS]",
	.description = "It runs on when this command ends.",
	.tables = tables,
	.run = attach_main,
};
COMMAND(&command);

/* ---- in a cluster ---------------------------------------------------------------- */

static const struct flag cluster_flag_list[] = {
	{"last", 0, "N", "Begin with so many of its last records (default: all that are kept)",
	 flag_number, &opt.last, NULL},
	{"timeout", 't', "TIME", "Stop reading after so many seconds (or 500ms, 2m …)",
	 flag_duration, &opt.timeout_ns, NULL},
	{0},
};
static const struct flag_table cluster_own_flags = {"Attach", cluster_flag_list};

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
	const struct feed_options feed = {.host = true,
					  .window_ns = 100 * 1000 * 1000,
					  .instance = ids->items[0],
					  .last = opt.last};
	const struct show_options so = {.timeout_ns = opt.timeout_ns};
	struct offer *offer = NULL;
	struct gadget_flags gadgets = {.cluster = c, .offers = &offer, .n = 1};
	int r;

	if (ids->n > 1)
		return err_set(err, -EINVAL, "one instance at a time, not '%s' as well",
			       ids->items[1]);
	selector_flags_of_cluster(NULL);
	r = find_instance(c, ids->items[0], &gadgets.remote, &offer, err);
	r = r ?: show(&gadgets, &feed, &so, err);
	offer_free(offer);
	return r;
}

static int cluster_attach_main(int argc, char **argv)
{
	return cluster_command("attach", argc, argv, "an instance; `kubectl gadget ps` lists them",
			       cluster_attach);
}

static const struct flag_table *const cluster_tables[] = {&cluster_own_flags, &node_flags,
							  &view_flags, &cluster_flags, NULL};
static const struct command cluster_attach_command = {
	.name = "attach",
	.summary = "Show the records of a gadget that runs on the nodes on its own",
	.usage = "NAME|ID [FLAGS]",
	.description = "It runs on when this command ends.",
	.tables = cluster_tables,
	.of_kubectl = true,
	.run = cluster_attach_main,
};
COMMAND(&cluster_attach_command);
