// SPDX-License-Identifier: Apache-2.0
/* kubectl gadget run: gadgets on all nodes, and their records as one stream. */
#include "base/mem.h"
#include "cmd/cluster_flags.h"
#include "cmd/detach.h"
#include "cmd/flags.h"
#include "cmd/gadget_flags.h"
#include "cmd/run_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/show_flags.h"
#include "cmd/view_flags.h"

/* All nodes that can have it do; the first fault is what is told. */
static int detach_on_nodes(struct gadget_flags *gadgets, const struct feed_options *feed,
			   uint64_t timeout_ns, struct err *err)
{
	struct err first = {0};

	for (size_t i = 0; i < cluster_n_nodes(gadgets->cluster); i++) {
		const struct cluster_node *n = cluster_node(gadgets->cluster, i);

		if (!n->remote)
			continue;
		gadgets->remote = n->remote;
		if (detach(gadgets, feed, timeout_ns, n->name, err) && !first.code)
			err_set(&first, err->code, "node %s: %s", n->name, err->text);
	}
	*err = first;
	return first.code;
}

static int run(struct gadget_flags *gadgets, struct err *err)
{
	const struct show_options *so = show_flags_options();
	struct feed_options feed = *run_flags_options();
	int r;

	if (!gadgets->n)
		return err_set(err, -EINVAL, "name a gadget; `kubectl gadget list` shows them");
	r = detach_check(gadgets, err) ?: show_flags_check(err);
	r = r ?: cluster_flags_select(err);
	if (r)
		return r;
	feed.selector = *selector_flags_options();
	return detach_wanted() ? detach_on_nodes(gadgets, &feed, so->timeout_ns, err)
			       : show(gadgets, &feed, so, err);
}

/* Gadgets are the cluster's, so it is reached before their flags are known. */
static int run_main(int argc, char **argv)
{
	const struct command *c = command_find("run");
	struct gadget_flags gadgets = {0};
	struct cluster *cluster = NULL;
	struct err err = {0};
	struct flags flags;
	int exit_code, r = cluster_flags_look(c, argc, argv, &err);

	r = r ?: cluster_flags_open(&cluster, &err);
	if (r && !flags_peek(c, argc, argv, "help")) /* which is of what is in this program, then */
		return command_fail(r, &err);
	flags_init(&flags, c);
	gadget_flags_init(&gadgets, &flags, cluster ? cluster_first(cluster) : NULL);
	gadgets.cluster = cluster;
	if (flags_begin(&flags, argc, argv, &exit_code)) {
		r = run(&gadgets, &err);
		exit_code = r ? command_fail(r, &err) : EXIT_OK;
	}
	gadget_flags_done(&gadgets);
	cluster_close(cluster);
	return exit_code;
}

static const struct flag_table *const tables[] = {&selector_flags, &node_flags,	   &process_flags,
						  &view_flags,	   &run_flags,	   &show_flags,
						  &detach_flags,   &cluster_flags, NULL};
static const struct command command = {
	.name = "run",
	.summary = "Run gadgets on the nodes and show what they tell of the pods",
	.usage = "GADGET… [FLAGS]",
	.description =
		"A gadget is a name of `kubectl gadget list`. Several, with spaces or commas "
		"between them, give one\n"
		"stream in order of time. A gadget's own flags stand behind its name; "
		"`kubectl gadget run GADGET\n"
		"--help` shows them. The names of before `run` do as well: `kubectl gadget "
		"trace exec`, `execsnoop`.",
	.tables = tables,
	.of_kubectl = true,
	.run = run_main,
};
COMMAND(&command);
