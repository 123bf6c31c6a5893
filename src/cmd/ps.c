// SPDX-License-Identifier: Apache-2.0
/*
 * ig ps: the gadgets that run at a daemon whether somebody reads or not; kubectl gadget ps: those
 * at the nodes of a cluster.
 */
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cluster_flags.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
#include "cmd/remote_command.h"
#include "columns/labels.h"
#include "wire/api.pb-c.h"

struct instance_row {
	const char *node, *id, *name, *gadget, *state, *error, *tags, *nodes;
	int64_t created; /* Unix time, ns */
	uint64_t age, readers, kept, history;
	struct labels params;
};

#define AT(member_)                                                     \
	.parent = -1, .offset = offsetof(struct instance_row, member_), \
	.size = sizeof(((struct instance_row *)0)->member_)
static const struct field fields[] = {
	{"node", "Node that it runs on", .kind = KIND_CSTR, AT(node),
	 .width = 16}, /* of a cluster */
	{"id", "Id, for `ig attach` and `ig stop`; its start will do", "short_id", KIND_CSTR,
	 AT(id)},
	{"name", "Name, which will do as well", .kind = KIND_CSTR, AT(name), .width = 16},
	{"gadget", "What runs", .kind = KIND_CSTR, AT(gadget), .width = 16},
	{"state", "running or error", .kind = KIND_CSTR, AT(state), .width = 8},
	{"created", "When it was made", "g_walltime", KIND_INT, AT(created), .flags = FIELD_HIDDEN},
	{"age", "How long ago that was", "g_duration", KIND_UINT, AT(age)},
	{"readers", "Clients that read it now", .kind = KIND_UINT, AT(readers), .width = 7},
	{"kept", "Last records that a new reader gets", .kind = KIND_UINT, AT(kept), .width = 6},
	{"history", "How many of them may be", .kind = KIND_UINT, AT(history), .width = 7,
	 .flags = FIELD_HIDDEN},
	{"tags", "What clients have marked it with", .kind = KIND_CSTR, AT(tags), .width = 12,
	 .flags = FIELD_SKIP_EMPTY},
	{"error", "Why it does not run", .kind = KIND_CSTR, AT(error), .width = 24,
	 .flags = FIELD_SKIP_EMPTY},
	{"nodes", "Where it runs", .kind = KIND_CSTR, AT(nodes), .flags = FIELD_HIDDEN},
	{"params", "What it was told", .kind = KIND_LABELS, AT(params), .flags = FIELD_HIDDEN},
};

static char *joined(char *const *words, size_t n)
{
	_cleanup_(buf_done) struct buf b = {.max = 65536};

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", words[i]);
	return xstrdup(buf_cstr(&b));
}

static const char *state_name(const Api__GadgetInstanceState *s)
{
	if (!s || s->status == API__GADGET_INSTANCE_STATUS__StatusInvalid)
		return "unknown";
	return s->status == API__GADGET_INSTANCE_STATUS__StatusRunning ? "running" : "error";
}

static void show(struct own_rows *rows, const char *node, const Api__GadgetInstance *i)
{
	_cleanup_(freep) char *tags = joined(i->tags, i->n_tags);
	_cleanup_(freep) char *nodes = joined(i->nodes, i->n_nodes);
	const Api__GadgetRunRequest *config = i->gadgetconfig;
	int64_t now = time(NULL);
	struct instance_row row = {
		.node = node,
		.id = i->id,
		.name = i->name,
		.gadget = config ? config->imagename : "",
		.state = state_name(i->state),
		.error = i->state ? i->state->message : "",
		.tags = tags,
		.nodes = nodes,
		.created = i->timecreated * 1000000000,
		.age = now > i->timecreated ? (uint64_t)(now - i->timecreated) * 1000000000 : 0,
		.readers = i->igreaders,
		.kept = i->igkept,
		.history = i->ighistory,
	};

	for (size_t p = 0; config && p < config->n_paramvalues; p++)
		labels_add(&row.params, config->paramvalues[p]->key, config->paramvalues[p]->value);
	labels_sort(&row.params);
	own_row(rows, &row);
	labels_done(&row.params);
}

static int open_rows(struct own_rows *rows, bool with_node, struct err *err)
{
	size_t skip = with_node ? 0 : 1;

	return own_rows_open(rows, VIEW_TABLE_ONCE, "instances", fields + skip,
			     array_size(fields) - skip, sizeof(struct instance_row), err);
}

/* node NULL: of no cluster. */
static int add(struct own_rows *rows, struct remote *r, const char *node, struct err *err)
{
	Api__ListGadgetInstancesRequest request = API__LIST_GADGET_INSTANCES_REQUEST__INIT;
	Api__ListGadgetInstanceResponse *m =
		remote_ask(r, "/api.GadgetInstanceManager/ListGadgetInstances", &request.base,
			   &api__list_gadget_instance_response__descriptor, err);

	if (!m)
		return err->code;
	for (size_t i = 0; i < m->n_gadgetinstances; i++)
		show(rows, node, m->gadgetinstances[i]);
	api__list_gadget_instance_response__free_unpacked(m, NULL);
	return 0;
}

static int list(struct remote *r, const struct words *words, struct err *err)
{
	struct own_rows rows = {0};
	int code = open_rows(&rows, false, err);

	code = code ?: add(&rows, r, NULL, err);
	code = code ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	return code;
}

static int list_nodes(struct cluster *c, const struct words *words, struct err *err)
{
	struct own_rows rows = {0};
	struct err failed = {0}; /* the first node's; code 0: none has */
	size_t good = 0;
	int code = open_rows(&rows, true, err);

	for (size_t i = 0; !code && i < cluster_n_nodes(c); i++) {
		const struct cluster_node *n = cluster_node(c, i);
		struct err why;

		if (!n->remote)
			continue;
		if (!add(&rows, n->remote, n->name, &why)) {
			good++;
			continue;
		}
		log_warn("node %s: %s; going on without it", n->name, why.text);
		if (!failed.code)
			err_set(&failed, why.code, "node %s: %s", n->name, why.text);
	}
	if (!code && failed.code && !good) {
		*err = failed;
		code = failed.code;
	}
	code = code ?: own_rows_end(&rows, err);
	own_rows_done(&rows);
	return code;
}

static int ps_main(int argc, char **argv)
{
	return remote_command("ps", argc, argv, NULL, list);
}

static const struct flag_table *const tables[] = {&view_flags, &remote_flags, NULL};
static const struct command ps = {
	.name = "ps",
	.summary = "List the gadgets that run at a daemon on their own",
	.usage = "[FLAGS]",
	.description = "Those that `ig run --detach`, or another client, has left running.",
	.tables = tables,
	.run = ps_main,
};
COMMAND(&ps);

static int cluster_ps_main(int argc, char **argv)
{
	return cluster_command("ps", argc, argv, NULL, list_nodes);
}

static const struct flag_table *const cluster_tables[] = {&view_flags, &node_flags, &cluster_flags,
							  NULL};
static const struct command cluster_ps = {
	.name = "ps",
	.summary = "List the gadgets that run on the nodes on their own",
	.usage = "[FLAGS]",
	.tables = cluster_tables,
	.of_kubectl = true,
	.run = cluster_ps_main,
};
COMMAND(&cluster_ps);
