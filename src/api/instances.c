// SPDX-License-Identifier: Apache-2.0
/* api.GadgetInstanceManager: gadgets that run whether a client listens or not. */
#include <string.h>
#include <unistd.h>

#include "api/service.h"
#include "api/spec.h"
#include "base/mem.h"
#include "manager/instance.h"

/* An instance as a message, whose texts are the instance's. */
struct told {
	Api__GadgetInstance message;
	Api__GadgetInstanceState state;
	struct api_request config;
	char *nodes[1];
	char node[256];
};

static void tell(struct told *t, const struct instance *i)
{
	struct instance_facts f;

	instance_facts(i, &f);
	api__gadget_instance__init(&t->message);
	api__gadget_instance_state__init(&t->state);
	api_request_init(&t->config, f.run_spec);
	gethostname(t->node, sizeof(t->node) - 1);
	t->node[sizeof(t->node) - 1] = '\0';
	t->nodes[0] = t->node;
	t->state.status = f.error ? API__GADGET_INSTANCE_STATUS__StatusError
				  : API__GADGET_INSTANCE_STATUS__StatusRunning;
	if (f.error)
		t->state.message = (char *)f.error;
	t->message.id = (char *)f.id;
	t->message.name = (char *)f.name;
	t->message.gadgetconfig = &t->config.message;
	t->message.n_tags = f.n_tags;
	t->message.tags = (char **)f.tags;
	t->message.timecreated = f.created;
	t->message.n_nodes = 1;
	t->message.nodes = t->nodes;
	t->message.state = &t->state;
	t->message.igreaders = (uint32_t)f.readers;
	t->message.igkept = f.kept;
	t->message.ighistory = f.history;
}

static void told_done(struct told *t)
{
	api_request_done(&t->config);
}

/* ---- calls ----------------------------------------------------------------------- */

static int create(struct manager *m, const Api__CreateGadgetInstanceRequest *from,
		  struct buf *reply, struct err *err)
{
	Api__CreateGadgetInstanceResponse answer = API__CREATE_GADGET_INSTANCE_RESPONSE__INIT;
	const Api__GadgetInstance *want = from->gadgetinstance;
	struct instance_spec spec;
	struct instance *i;
	struct told told;
	int r;

	if (!want || !want->gadgetconfig)
		return err_set(err, -EINVAL, "the request names no gadget");
	spec = (struct instance_spec){
		.id = want->id,
		.name = want->name,
		.tags = (const char *const *)want->tags,
		.n_tags = want->n_tags,
		.history = from->eventbufferlength > 0 ? (uint64_t)from->eventbufferlength : 0,
	};
	r = api_spec(want->gadgetconfig, &spec.run, err) ?: instance_create(m, &spec, &i, err);
	run_spec_done(&spec.run);
	if (r)
		return r;
	tell(&told, i);
	answer.gadgetinstance = &told.message;
	api_append(&answer.base, reply);
	told_done(&told);
	return 0;
}

static int create_instance(void *ctx, const void *bytes, size_t len, struct buf *reply,
			   struct err *err)
{
	const struct api *api = ctx;
	Api__CreateGadgetInstanceRequest *m =
		api__create_gadget_instance_request__unpack(NULL, len, bytes);
	int r = m ? create(api->manager, m, reply, err) : api_malformed(err);

	if (m)
		api__create_gadget_instance_request__free_unpacked(m, NULL);
	return r;
}

struct listing {
	struct told *told;
	Api__GadgetInstance **list;
	size_t n, room;
};

static void count(void *ctx, struct instance *i)
{
	((struct listing *)ctx)->room++;
}

static void add_told(void *ctx, struct instance *i)
{
	struct listing *l = ctx;

	tell(&l->told[l->n], i);
	l->list[l->n] = &l->told[l->n].message;
	l->n++;
}

static int list_instances(void *ctx, const void *bytes, size_t len, struct buf *reply,
			  struct err *err)
{
	const struct api *api = ctx;
	Api__ListGadgetInstanceResponse answer = API__LIST_GADGET_INSTANCE_RESPONSE__INIT;
	struct listing l = {0};

	manager_each_instance(api->manager, count, &l);
	l.told = xnew_n(struct told, l.room + 1);
	l.list = xnew_n(Api__GadgetInstance *, l.room + 1);
	manager_each_instance(api->manager, add_told, &l);
	answer.n_gadgetinstances = l.n;
	answer.gadgetinstances = l.list;
	api_append(&answer.base, reply);
	for (size_t i = 0; i < l.n; i++)
		told_done(&l.told[i]);
	free(l.told);
	free(l.list);
	return 0;
}

static int get(struct manager *m, const char *id, struct buf *reply, struct err *err)
{
	struct instance *i = instance_find(m, id, err);
	struct told told;

	if (!i)
		return err->code;
	tell(&told, i);
	api_append(&told.message.base, reply);
	told_done(&told);
	return 0;
}

static int remove_one(struct manager *m, const char *id, struct buf *reply, struct err *err)
{
	return instance_remove(m, id, err); /* a StatusResponse of zeroes has no bytes */
}

static int by_id(const struct api *api, const void *bytes, size_t len, struct buf *reply,
		 struct err *err,
		 int (*fn)(struct manager *m, const char *id, struct buf *reply, struct err *err))
{
	Api__GadgetInstanceId *m = api__gadget_instance_id__unpack(NULL, len, bytes);
	int r = m ? fn(api->manager, m->id, reply, err) : api_malformed(err);

	if (m)
		api__gadget_instance_id__free_unpacked(m, NULL);
	return r;
}

static int get_instance(void *ctx, const void *bytes, size_t len, struct buf *reply,
			struct err *err)
{
	return by_id(ctx, bytes, len, reply, err, get);
}

static int remove_instance(void *ctx, const void *bytes, size_t len, struct buf *reply,
			   struct err *err)
{
	return by_id(ctx, bytes, len, reply, err, remove_one);
}

static const struct grpc_method methods[] = {
	{"/api.GadgetInstanceManager/CreateGadgetInstance", create_instance, NULL},
	{"/api.GadgetInstanceManager/ListGadgetInstances", list_instances, NULL},
	{"/api.GadgetInstanceManager/GetGadgetInstance", get_instance, NULL},
	{"/api.GadgetInstanceManager/RemoveGadgetInstance", remove_instance, NULL},
	{0},
};
static const struct api_service instances = {methods};
API_SERVICE(&instances);
