// SPDX-License-Identifier: Apache-2.0
/*
 * gadgettracermanager.GadgetTracerManager: tracers by id, and the containers that hooks announce.
 */
#include <string.h>

#include "api/definition.h"
#include "api/gadgettracermanager.pb-c.h"
#include "api/service.h"
#include "base/limits.h"
#include "base/mem.h"
#include "manager/tracer.h"

/* ---- tracers --------------------------------------------------------------------- */

/* key=value,… as -l wants it; a key alone where there is no value. */
static char *labels_text(const Gadgettracermanager__ContainerSelector *s)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_SERVED_MESSAGE_BYTES};

	for (size_t i = 0; i < s->n_labels; i++)
		buf_printf(&b, "%s%s%s%s", i ? "," : "", s->labels[i]->key,
			   *s->labels[i]->value ? "=" : "", s->labels[i]->value);
	return xstrdup(buf_cstr(&b));
}

static int add(struct manager *m, const Gadgettracermanager__AddTracerRequest *from,
	       struct buf *reply, struct err *err)
{
	Gadgettracermanager__TracerID answer = GADGETTRACERMANAGER__TRACER_ID__INIT;
	const Gadgettracermanager__ContainerSelector *s = from->selector;
	_cleanup_(freep) char *labels = s ? labels_text(s) : NULL;
	struct tracer_spec spec = {.id = from->id};
	struct tracer *t;
	int r;

	if (s)
		spec.selector = (struct selector_options){.namespace_ = s->namespace_,
							  .pod = s->podname,
							  .container_name = s->name,
							  .labels = labels};
	r = tracer_add(m, &spec, &t, err);
	if (r)
		return r;
	answer.id = (char *)tracer_id(t);
	api_append(&answer.base, reply);
	return 0;
}

static int add_tracer(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	const struct api *api = ctx;
	Gadgettracermanager__AddTracerRequest *m =
		gadgettracermanager__add_tracer_request__unpack(NULL, len, bytes);
	int r = m ? add(api->manager, m, reply, err) : api_malformed(err);

	if (m)
		gadgettracermanager__add_tracer_request__free_unpacked(m, NULL);
	return r;
}

static int remove_tracer(void *ctx, const void *bytes, size_t len, struct buf *reply,
			 struct err *err)
{
	const struct api *api = ctx;
	Gadgettracermanager__TracerID *m = gadgettracermanager__tracer_id__unpack(NULL, len, bytes);
	int r = m ? tracer_remove(api->manager, m->id, err) : api_malformed(err);

	if (m)
		gadgettracermanager__tracer_id__free_unpacked(m, NULL);
	return r; /* the answer has no bytes */
}

/* ---- their lines ----------------------------------------------------------------- */

struct receiver {
	struct api *api;
	struct grpc_served *call;
	struct tracer_subscription *subscription; /* NULL: not yet, or the tracer is gone */
	uint64_t lost; /* lines that did not fit, and that the client was not told of */
};

static void send_line(struct receiver *r, const char *line)
{
	Gadgettracermanager__StreamData m = GADGETTRACERMANAGER__STREAM_DATA__INIT;

	m.line = (char *)line;
	api_send(r->call, &m.base);
}

static void say_lost(struct receiver *r)
{
	_cleanup_(buf_done) struct buf line = {.max = 4096};

	buf_printf(&line, "{\"ig\":{\"event\":\"lost\",\"reader\":true,\"count\":%llu}}",
		   (unsigned long long)r->lost);
	r->lost = 0;
	send_line(r, buf_cstr(&line));
}

static void on_line(void *ctx, const char *line, size_t len)
{
	struct receiver *r = ctx;

	if (grpc_served_queued(r->call) + len > MAX_READER_BYTES) {
		r->lost++;
		return;
	}
	if (r->lost)
		say_lost(r);
	send_line(r, line);
}

static size_t queued(void *ctx)
{
	const struct receiver *r = ctx;

	return grpc_served_queued(r->call);
}

static void receiver_free(struct receiver *r)
{
	tracer_unsubscribe(r->subscription);
	free(r);
}

static void on_removed(void *ctx)
{
	struct receiver *r = ctx;

	r->subscription = NULL;
	if (r->lost)
		say_lost(r);
	grpc_served_finish(r->call, GRPC_OK, NULL);
	receiver_free(r);
}

static int subscribe(struct receiver *r, const char *id, struct err *err)
{
	const struct tracer_reader reader = {r, on_line, queued, on_removed};
	struct tracer *t = tracer_find(r->api->manager, id);

	if (!*id)
		return err_set(err, -EINVAL, "no tracer is named");
	return t ? tracer_subscribe(t, &reader, &r->subscription, err)
		 : err_set(err, -ENOENT, "no tracer '%s'", id);
}

static void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct receiver *r = ctx;
	Gadgettracermanager__TracerID *m = gadgettracermanager__tracer_id__unpack(NULL, len, bytes);
	struct err err = {0};
	int code;

	if (r->subscription)
		code = err_set(&err, -EINVAL, "one tracer at a time");
	else
		code = m ? subscribe(r, m->id, &err) : api_malformed(&err);
	if (m)
		gadgettracermanager__tracer_id__free_unpacked(m, NULL);
	if (code) {
		api_finish(call, code, &err);
		receiver_free(r);
	}
}

/* There is room again: what was lost is said also where nothing more comes. */
static void on_drained(void *ctx, struct grpc_served *call)
{
	struct receiver *r = ctx;

	if (r->lost)
		say_lost(r);
}

static void end_if_idle(struct receiver *r, int code, const struct err *err)
{
	if (r->subscription)
		return;
	api_finish(r->call, code, err);
	receiver_free(r);
}

static void on_half_closed(void *ctx, struct grpc_served *call)
{
	struct err err = {0};

	end_if_idle(ctx, api_no_request(&err), &err);
}

/* The tracers are gone by now, and their readers with them. */
static void on_stopping(void *ctx, struct grpc_served *call)
{
	struct err err = {0};

	end_if_idle(ctx, api_stopping(&err), &err);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	receiver_free(ctx);
}

static void receive_stream(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_message,
							 .half_closed = on_half_closed,
							 .drained = on_drained,
							 .stopping = on_stopping,
							 .gone = on_gone};
	struct receiver *r = xnew(struct receiver);

	r->api = ctx;
	r->call = call;
	grpc_served_start(call, &events, r);
}

/* ---- containers ------------------------------------------------------------------ */

static int add_container(void *ctx, const void *bytes, size_t len, struct buf *reply,
			 struct err *err)
{
	const struct api *api = ctx;
	struct definition d = {0};
	int r = definition_read(bytes, len, &d, err);

	r = r ?: containers_announce(manager_containers(api->manager), &d.notice, err);
	definition_done(&d);
	return r;
}

static int remove_container(void *ctx, const void *bytes, size_t len, struct buf *reply,
			    struct err *err)
{
	const struct api *api = ctx;
	struct definition d = {0};
	int r = definition_read(bytes, len, &d, err);

	r = r ?: containers_retract(manager_containers(api->manager), d.notice.id, err);
	definition_done(&d);
	return r;
}

static int dump_state(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	const struct api *api = ctx;
	Gadgettracermanager__Dump m = GADGETTRACERMANAGER__DUMP__INIT;
	_cleanup_(buf_done) struct buf text = {.max = MAX_SERVED_MESSAGE_BYTES};

	manager_dump(api->manager, &text);
	if (text.failed)
		return err_set(err, -ENOSPC, "the state is longer than a message may be");
	m.state = (char *)buf_cstr(&text);
	api_append(&m.base, reply);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/gadgettracermanager.GadgetTracerManager/AddTracer", add_tracer, NULL},
	{"/gadgettracermanager.GadgetTracerManager/RemoveTracer", remove_tracer, NULL},
	{"/gadgettracermanager.GadgetTracerManager/ReceiveStream", NULL, receive_stream},
	{"/gadgettracermanager.GadgetTracerManager/AddContainer", add_container, NULL},
	{"/gadgettracermanager.GadgetTracerManager/RemoveContainer", remove_container, NULL},
	{"/gadgettracermanager.GadgetTracerManager/DumpState", dump_state, NULL},
	{0},
};
static const struct api_service tracermanager = {methods};
API_SERVICE(&tracermanager);
