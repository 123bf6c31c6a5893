// SPDX-License-Identifier: Apache-2.0
#include "cmd/detach.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "client/remote.h"
#include "cmd/run_params.h"
#include "wire/api.pb-c.h"

static int print_id(const struct buf *reply, struct err *err)
{
	Api__CreateGadgetInstanceResponse *m = api__create_gadget_instance_response__unpack(
		NULL, reply->len, (const uint8_t *)reply->data);

	if (!m || !m->gadgetinstance) {
		if (m)
			api__create_gadget_instance_response__free_unpacked(m, NULL);
		return err_set(err, -EBADMSG, "the daemon's answer is malformed");
	}
	puts(m->gadgetinstance->id);
	api__create_gadget_instance_response__free_unpacked(m, NULL);
	return 0;
}

static int detach_one(struct remote *r, const struct offer *offer, const struct feed_options *feed,
		      const struct detach_options *o, struct err *err)
{
	Api__CreateGadgetInstanceRequest request = API__CREATE_GADGET_INSTANCE_REQUEST__INIT;
	_cleanup_(buf_done) struct buf reply = {.max = MAX_GRPC_MESSAGE_BYTES};
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
	config.imagename = (char *)offer_name(offer);
	config.version = 1;
	config.timeout = (int64_t)o->timeout_ns;
	config.n_paramvalues = params.n;
	config.paramvalues = list;
	instance.gadgetconfig = &config;
	if (o->name)
		instance.name = (char *)o->name;
	request.gadgetinstance = &instance;
	request.eventbufferlength = (int32_t)o->history;
	code = remote_call(r, "/api.GadgetInstanceManager/CreateGadgetInstance", &request.base,
			   &reply, err);
	code = code ?: print_id(&reply, err);
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
