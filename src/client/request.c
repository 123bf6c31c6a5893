// SPDX-License-Identifier: Apache-2.0
#include "client/request.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wire/api.pb-c.h"
#include "wire/node.pb-c.h"

const char *request_method(const struct remote_request *request)
{
	if (request->n_files || request->ring)
		return "/ig.v1.Node/Replay";
	return request->containers ? "/ig.v1.Node/Containers" : "/api.GadgetManager/RunGadget";
}

/* ---- the first message ----------------------------------------------------------- */

/* Parameters as entries of a message; *ret_list is to be freed, and holds all. */
static size_t make_entries(const struct labels *params, Api__Entry ***ret_list)
{
	size_t n = params ? params->n : 0;
	Api__Entry **list = xcalloc(n + 1, sizeof(*list) + sizeof(**list));
	Api__Entry *entries = (Api__Entry *)(list + n);

	for (size_t i = 0; i < n; i++) {
		api__entry__init(&entries[i]);
		entries[i].key = params->items[i].key;
		entries[i].value = params->items[i].value;
		list[i] = &entries[i];
	}
	*ret_list = list;
	return n;
}

static void pack_run(const struct remote_request *request, struct buf *out)
{
	Api__GadgetControlRequest m = API__GADGET_CONTROL_REQUEST__INIT;
	Api__GadgetRunRequest what = API__GADGET_RUN_REQUEST__INIT;
	_cleanup_(freep) Api__Entry **list = NULL;

	what.n_paramvalues = make_entries(request->params, &list);
	what.paramvalues = list;
	what.imagename = (char *)request->image;
	what.version = API_VERSION;
	what.igcompact = true;
	m.event_case = API__GADGET_CONTROL_REQUEST__EVENT_RUN_REQUEST;
	m.runrequest = &what;
	remote_pack(&m.base, out);
}

static void pack_attach(const struct remote_request *request, struct buf *out)
{
	Api__GadgetControlRequest m = API__GADGET_CONTROL_REQUEST__INIT;
	Api__GadgetAttachRequest what = API__GADGET_ATTACH_REQUEST__INIT;

	what.id = (char *)request->instance;
	what.version = API_VERSION;
	what.igcompact = true;
	what.ighaslast = request->last != UINT64_MAX;
	what.iglast = request->last;
	m.event_case = API__GADGET_CONTROL_REQUEST__EVENT_ATTACH_REQUEST;
	m.attachrequest = &what;
	remote_pack(&m.base, out);
}

static char *text(const char *s)
{
	return (char *)(s ?: "");
}

static Ig__V1__ContainersRequest containers_of(const struct remote_request *request)
{
	const struct selector_options *o = request->containers;
	Ig__V1__ContainersRequest m = IG__V1__CONTAINERS_REQUEST__INIT;

	m.watch = request->watch;
	m.compact = true;
	m.containername = text(o->container_name);
	m.containerid = text(o->container_id);
	m.image = text(o->image);
	m.annotation = text(o->annotations);
	m.namespace_ = text(o->namespace_);
	m.podname = text(o->pod);
	m.selector = text(o->labels);
	m.sandboxes = o->sandboxes;
	return m;
}

static void pack_containers(const struct remote_request *request, struct buf *out)
{
	Ig__V1__ContainersRequest m = containers_of(request);

	remote_pack(&m.base, out);
}

static void pack_replay(const struct remote_request *request, struct buf *out)
{
	Ig__V1__ReplayRequest m = IG__V1__REPLAY_REQUEST__INIT;
	Ig__V1__ContainersRequest containers;

	m.files = (char **)request->files;
	m.n_files = request->n_files;
	m.ring = text(request->ring);
	m.from = text(request->from);
	m.to = text(request->to);
	if (request->containers) {
		containers = containers_of(request);
		m.containers = &containers;
	}
	remote_pack(&m.base, out);
}

void request_pack(const struct remote_request *request, struct buf *out)
{
	if (request->n_files || request->ring)
		pack_replay(request, out);
	else if (request->containers)
		pack_containers(request, out);
	else if (request->instance)
		pack_attach(request, out);
	else
		pack_run(request, out);
}

void request_pack_stop(struct buf *out)
{
	Api__GadgetControlRequest m = API__GADGET_CONTROL_REQUEST__INIT;
	Api__GadgetStopRequest stop = API__GADGET_STOP_REQUEST__INIT;

	m.event_case = API__GADGET_CONTROL_REQUEST__EVENT_STOP_REQUEST;
	m.stoprequest = &stop;
	remote_pack(&m.base, out);
}

/* ---- what a gadget is ------------------------------------------------------------ */

static int describe(struct remote *r, const char *name, uint32_t flags, const struct labels *params,
		    struct wire_gadget **ret, struct err *err)
{
	Api__GetGadgetInfoRequest request = API__GET_GADGET_INFO_REQUEST__INIT;
	_cleanup_(buf_done) struct buf info = {.max = MAX_GRPC_MESSAGE_BYTES};
	_cleanup_(freep) Api__Entry **list = NULL;
	Api__GetGadgetInfoResponse *answer;
	int code;

	request.n_paramvalues = make_entries(params, &list);
	request.paramvalues = list;
	request.imagename = (char *)name;
	request.flags = flags;
	request.version = API_VERSION;
	answer = remote_ask(r, "/api.GadgetManager/GetGadgetInfo", &request.base,
			    &api__get_gadget_info_response__descriptor, err);
	if (!answer)
		return err->code;
	if (!answer->gadgetinfo) {
		code = err_set(err, -EBADMSG, "the daemon does not describe %s", name);
	} else {
		remote_pack(&answer->gadgetinfo->base, &info);
		code = wire_gadget_unpack(info.data, info.len, ret, err);
	}
	api__get_gadget_info_response__free_unpacked(answer, NULL);
	return code;
}

int remote_gadget(struct remote *r, const char *image, const struct labels *params,
		  struct wire_gadget **ret, struct err *err)
{
	return describe(r, image, 0, params, ret, err);
}

int remote_instance(struct remote *r, const char *id, struct wire_gadget **ret, struct err *err)
{
	enum { IS_INSTANCE = 1 };

	return describe(r, id, IS_INSTANCE, NULL, ret, err);
}

/* ---- an instance ----------------------------------------------------------------- */

int remote_create_instance(struct remote *r, const struct remote_new_instance *wanted,
			   char **ret_id, struct err *err)
{
	Api__CreateGadgetInstanceRequest request = API__CREATE_GADGET_INSTANCE_REQUEST__INIT;
	Api__GadgetInstance instance = API__GADGET_INSTANCE__INIT;
	Api__GadgetRunRequest config = API__GADGET_RUN_REQUEST__INIT;
	_cleanup_(freep) Api__Entry **list = NULL;
	Api__CreateGadgetInstanceResponse *answer;
	int code = 0;

	config.n_paramvalues = make_entries(wanted->params, &list);
	config.paramvalues = list;
	config.imagename = (char *)wanted->image;
	config.version = API_VERSION;
	config.timeout = (int64_t)wanted->timeout_ns;
	instance.gadgetconfig = &config;
	instance.name = text(wanted->name);
	request.gadgetinstance = &instance;
	request.eventbufferlength = (int32_t)wanted->history;
	answer = remote_ask(r, "/api.GadgetInstanceManager/CreateGadgetInstance", &request.base,
			    &api__create_gadget_instance_response__descriptor, err);
	if (!answer)
		return err->code;
	if (answer->gadgetinstance)
		*ret_id = xstrdup(answer->gadgetinstance->id);
	else
		code = err_set(err, -EBADMSG, "the daemon does not say which instance it made");
	api__create_gadget_instance_response__free_unpacked(answer, NULL);
	return code;
}
