// SPDX-License-Identifier: Apache-2.0
#include "cmd/detach.h"

#include <stdio.h>

#include "base/mem.h"
#include "client/remote_run.h"
#include "cmd/run_params.h"
#include "cmd/show_flags.h"
#include "cmd/view_flags.h"

static struct {
	bool detach;
	uint64_t history; /* UINT64_MAX: as the daemon likes */
	const char *name; /* NULL: as the gadget */
} opt = {.history = UINT64_MAX};

static const struct flag flags[] = {
	{"detach", 'd', NULL, "At the daemon: run on, also without a reader; shows the id", flag_on,
	 &opt.detach, NULL},
	{"name", 0, "NAME", "With --detach: what it is called (default: as the gadget)", flag_text,
	 &opt.name, NULL},
	{"history", 0, "N", "With --detach: how many of the last records are kept (default 100)",
	 flag_number, &opt.history, NULL},
	{0},
};
const struct flag_table detach_flags = {"On its own", flags};

bool detach_wanted(void)
{
	return opt.detach;
}

static bool shows_rows(void)
{
	const struct show_options *so = show_flags_options();
	struct view_options o;

	view_flags_options(&o);
	return o.output || o.fields || o.sort || o.n_filters || o.max_entries || o.value ||
	       o.no_headers || o.report_options->n || so->record || so->all_totals;
}

int detach_check(const struct gadget_flags *gadgets, struct err *err)
{
	bool has_history = opt.history != UINT64_MAX;

	if ((opt.name || has_history) && !opt.detach)
		return err_set(err, -EINVAL, "--name and --history go with --detach");
	if (opt.detach && shows_rows())
		return err_set(err, -EINVAL,
			       "--detach shows no rows; filters and outputs are for `%s attach`",
			       command_program());
	if (opt.name && gadgets->n > 1)
		return err_set(err, -EINVAL, "--name is for one gadget");
	if (has_history && (!opt.history || opt.history > INT32_MAX)) /* 0 says "as you like" */
		return err_set(err, -EINVAL, "--history is 1 to %d", INT32_MAX);
	return 0;
}

static int detach_one(struct remote *r, const struct offer *offer, const struct feed_options *feed,
		      uint64_t timeout_ns, const char *node, struct err *err)
{
	struct labels params = {0};
	const struct remote_new_instance wanted = {
		.image = offer_image(offer),
		.params = &params,
		.timeout_ns = timeout_ns,
		.name = opt.name,
		.history = opt.history != UINT64_MAX ? (uint32_t)opt.history : 0,
	};
	_cleanup_(freep) char *id = NULL;
	int code;

	run_params(feed, offer_params(offer), &params);
	code = remote_create_instance(r, &wanted, &id, err);
	if (!code)
		printf("%s%s%s\n", node ?: "", node ? " " : "", id);
	labels_done(&params);
	return code;
}

int detach(struct gadget_flags *gadgets, const struct feed_options *feed, uint64_t timeout_ns,
	   const char *node, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < gadgets->n; i++)
		r = detach_one(gadgets->remote, gadgets->offers[i], feed, timeout_ns, node, err);
	return r;
}
