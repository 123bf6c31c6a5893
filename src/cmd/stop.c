// SPDX-License-Identifier: Apache-2.0
/*
 * ig stop: a daemon's instances end, and what was kept of them goes; kubectl gadget stop: those of
 * all nodes that have them.
 */
#include "cmd/cluster_flags.h"
#include "cmd/remote_command.h"
#include "wire/api.pb-c.h"

static int stop_one(struct remote *r, const char *id, struct err *err)
{
	Api__GadgetInstanceId request = API__GADGET_INSTANCE_ID__INIT;
	Api__StatusResponse *m;
	int code = 0;

	request.id = (char *)id;
	m = remote_ask(r, "/api.GadgetInstanceManager/RemoveGadgetInstance", &request.base,
		       &api__status_response__descriptor, err);
	if (!m)
		return err->code;
	if (m->result)
		code = err_set(err, -EIO, "%s", m->message);
	api__status_response__free_unpacked(m, NULL);
	return code;
}

/* All that can be stopped are; the first fault is what is told. */
static int stop(struct remote *r, const struct words *ids, struct err *err)
{
	struct err first = {0};

	for (size_t i = 0; i < ids->n; i++)
		if (stop_one(r, ids->items[i], err) && !first.code)
			first = *err;
	*err = first;
	return first.code;
}

static int stop_main(int argc, char **argv)
{
	return remote_command("stop", argc, argv, "an instance; `ig ps` lists them", stop);
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command command = {
	.name = "stop",
	.summary = "End gadgets that run at a daemon on their own",
	.usage = "NAME|ID… [FLAGS]",
	.tables = tables,
	.run = stop_main,
};
COMMAND(&command);

/* ---- in a cluster ---------------------------------------------------------------- */

/* -ENOENT: no node has it. */
static int stop_on_nodes(struct cluster *c, const char *id, struct err *err)
{
	int r = err_set(err, -ENOENT, "no node has an instance '%s'", id);

	for (size_t i = 0; i < cluster_n_nodes(c); i++) {
		const struct cluster_node *n = cluster_node(c, i);
		struct err why = {0};

		if (!n->remote)
			continue;
		if (!stop_one(n->remote, id, &why))
			r = r == -ENOENT ? 0 : r;
		else if (why.code != -ENOENT)
			r = err_set(err, why.code, "node %s: %s", n->name, why.text);
	}
	return r;
}

static int cluster_stop(struct cluster *c, const struct words *ids, struct err *err)
{
	struct err first = {0};

	for (size_t i = 0; i < ids->n; i++)
		if (stop_on_nodes(c, ids->items[i], err) && !first.code)
			first = *err;
	*err = first;
	return first.code;
}

static int cluster_stop_main(int argc, char **argv)
{
	return cluster_command("stop", argc, argv, "an instance; `kubectl gadget ps` lists them",
			       cluster_stop);
}

static const struct flag_table *const cluster_tables[] = {&node_flags, &cluster_flags, NULL};
static const struct command cluster_stop_command = {
	.name = "stop",
	.summary = "End gadgets that run on the nodes on their own",
	.usage = "NAME|ID… [FLAGS]",
	.tables = cluster_tables,
	.of_kubectl = true,
	.run = cluster_stop_main,
};
COMMAND(&cluster_stop_command);
