// SPDX-License-Identifier: Apache-2.0
#include "cmd/detach.h"

#include <stdio.h>

#include "base/mem.h"
#include "client/remote.h"
#include "cmd/run_params.h"
#include "cmd/show_flags.h"
#include "cmd/view_flags.h"
#include "wire/api.pb-c.h"

static struct {
	bool detach;
	uint64_t history; /* 0: as the daemon likes */
	const char *name; /* NULL: as the gadget */
} opt;

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
	struct view_options o;

	view_flags_options(&o);
	return o.output || o.fields || o.sort || o.n_filters || o.max_entries;
}

int detach_check(const struct gadget_flags *gadgets, struct err *err)
{
	if ((opt.name || opt.history) && !opt.detach)
		return err_set(err, -EINVAL, "--name and --history go with --detach");
	if (opt.detach && (show_flags_options()->record || shows_rows()))
		return err_set(err, -EINVAL,
			       "--detach shows no rows; filters and outputs are for `%s attach`",
			       command_program());
	if (opt.name && gadgets->n > 1)
		return err_set(err, -EINVAL, "--name is for one gadget");
	if (opt.history > INT32_MAX)
		return err_set(err, -EINVAL, "--history is at most %d", INT32_MAX);
	return 0;
}

static int create(struct remote *r, const Api__CreateGadgetInstanceRequest *request,
		  const char *node, struct err *err)
{
	Api__CreateGadgetInstanceResponse *m =
		remote_ask(r, "/api.GadgetInstanceManager/CreateGadgetInstance", &request->base,
			   &api__create_gadget_instance_response__descriptor, err);
	int code = 0;

	if (!m)
		return err->code;
	if (m->gadgetinstance)
		printf("%s%s%s\n", node ?: "", node ? " " : "", m->gadgetinstance->id);
	else
		code = err_set(err, -EBADMSG, "the daemon does not say which instance it made");
	api__create_gadget_instance_response__free_unpacked(m, NULL);
	return code;
}

static int detach_one(struct remote *r, const struct offer *offer, const struct feed_options *feed,
		      uint64_t timeout_ns, const char *node, struct err *err)
{
	Api__CreateGadgetInstanceRequest request = API__CREATE_GADGET_INSTANCE_REQUEST__INIT;
	Api__GadgetInstance instance = API__GADGET_INSTANCE__INIT;
	Api__GadgetRunRequest config = API__GADGET_RUN_REQUEST__INIT;
	struct labels params = {0};
	Api__Entry *entries, **list;
	int code;

	run_params(feed, offer_params(offer), &params);
	entries = xnew_n(Api__Entry, params.n + 1);
	list = xnew_n(Api__Entry *, params.n + 1);
	for (size_t i = 0; i < params.n; i++) {
		api__entry__init(&entries[i]);
		entries[i].key = params.items[i].key;
		entries[i].value = params.items[i].value;
		list[i] = &entries[i];
	}
	config.imagename = (char *)offer_image(offer);
	config.version = 1;
	config.timeout = (int64_t)timeout_ns;
	config.n_paramvalues = params.n;
	config.paramvalues = list;
	instance.gadgetconfig = &config;
	if (opt.name)
		instance.name = (char *)opt.name;
	request.gadgetinstance = &instance;
	request.eventbufferlength = (int32_t)opt.history;
	code = create(r, &request, node, err);
	labels_done(&params);
	free(entries);
	free(list);
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
