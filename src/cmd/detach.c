// SPDX-License-Identifier: Apache-2.0
#include "cmd/detach.h"

#include <stdio.h>

#include "base/mem.h"
#include "client/remote.h"
#include "cmd/run_params.h"
#include "wire/api.pb-c.h"

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
		      const struct detach_options *o, struct err *err)
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
	config.timeout = (int64_t)o->timeout_ns;
	config.n_paramvalues = params.n;
	config.paramvalues = list;
	instance.gadgetconfig = &config;
	if (o->name)
		instance.name = (char *)o->name;
	request.gadgetinstance = &instance;
	request.eventbufferlength = (int32_t)o->history;
	code = create(r, &request, o->node, err);
	labels_done(&params);
	free(entries);
	free(list);
	return code;
}

int detach(struct gadget_flags *gadgets, const struct feed_options *feed,
	   const struct detach_options *o, struct err *err)
{
	int r = 0;

	if (o->name && gadgets->n > 1)
		return err_set(err, -EINVAL, "--name is for one gadget");
	if (o->history > INT32_MAX)
		return err_set(err, -EINVAL, "--history is at most %d", INT32_MAX);
	for (size_t i = 0; !r && i < gadgets->n; i++)
		r = detach_one(gadgets->remote, gadgets->offers[i], feed, o, err);
	return r;
}
