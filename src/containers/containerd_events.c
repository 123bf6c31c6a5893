// SPDX-License-Identifier: Apache-2.0
/*
 * Listening to containerd's events, of all its namespaces: where a container was created, of which
 * image, and with which first process. They come before the container runs.
 */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/containerd.h"
#include "containers/containerd_events.pb-c.h"
#include "net/grpc.h"

struct ear {
	struct listener listener;
	struct grpc_channel *channel; /* NULL: there is none now */
	struct grpc_call *call;
};

/* ---- what is told ---------------------------------------------------------------- */

static void on_container(struct listener *l, const char *namespace,
			 const ProtobufCBinaryData *event)
{
	Containerd__Services__Events__V1__ContainerCreate *m =
		containerd__services__events__v1__container_create__unpack(NULL, event->len,
									   event->data);
	struct heard *h = m ? listener_hear(l, namespace, m->id) : NULL;

	if (h) {
		h->pid = 0; /* of one that was there before */
		heard_set(&h->image, m->image);
	}
	if (m)
		containerd__services__events__v1__container_create__free_unpacked(m, NULL);
}

static void on_task(struct listener *l, const char *namespace, const ProtobufCBinaryData *event)
{
	Containerd__Services__Events__V1__TaskCreate *m =
		containerd__services__events__v1__task_create__unpack(NULL, event->len,
								      event->data);
	struct heard *h = m ? listener_hear(l, namespace, m->container_id) : NULL;

	if (h)
		h->pid = m->pid;
	if (m)
		containerd__services__events__v1__task_create__free_unpacked(m, NULL);
}

static void on_start(struct listener *l, const char *namespace, const ProtobufCBinaryData *event)
{
	Containerd__Services__Events__V1__TaskStart *m =
		containerd__services__events__v1__task_start__unpack(NULL, event->len, event->data);
	struct heard *h = m ? listener_hear(l, namespace, m->container_id) : NULL;

	if (h)
		h->pid = m->pid;
	if (m)
		containerd__services__events__v1__task_start__free_unpacked(m, NULL);
}

static const struct topic {
	const char *name, *filter;
	void (*fn)(struct listener *l, const char *namespace, const ProtobufCBinaryData *event);
} topics[] = {
	{"/containers/create", "topic==\"/containers/create\"", on_container},
	{"/tasks/create", "topic==\"/tasks/create\"", on_task},
	{"/tasks/start", "topic==\"/tasks/start\"", on_start},
};

void containerd_hear(struct listener *l, const void *bytes, size_t len)
{
	Containerd__Services__Events__V1__Envelope *e =
		containerd__services__events__v1__envelope__unpack(NULL, len, bytes);

	for (size_t i = 0; e && e->event && i < array_size(topics); i++)
		if (!strcmp(e->topic, topics[i].name))
			topics[i].fn(l, e->namespace_, &e->event->value);
	if (e)
		containerd__services__events__v1__envelope__free_unpacked(e, NULL);
}

/* ---- the stream ------------------------------------------------------------------ */

static void stop(struct ear *ear)
{
	ear->call = grpc_call_cancel(ear->call);
	ear->channel = grpc_channel_free(ear->channel);
}

static void on_message(void *ctx, const void *bytes, size_t len)
{
	struct ear *ear = ctx;

	containerd_hear(&ear->listener, bytes, len);
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct ear *ear = ctx;

	ear->call = NULL;
	stop(ear);
	listener_ended(&ear->listener);
}

static void on_broken(void *ctx, const struct err *err)
{
	struct ear *ear = ctx;

	stop(ear);
	listener_ended(&ear->listener);
}

static void subscribe(struct ear *ear)
{
	Containerd__Services__Events__V1__SubscribeRequest request =
		CONTAINERD__SERVICES__EVENTS__V1__SUBSCRIBE_REQUEST__INIT;
	char *filters[array_size(topics)];
	_cleanup_(buf_done) struct buf bytes = {.max = 4096};
	struct grpc_request call = {.method = "/containerd.services.events.v1.Events/Subscribe"};

	for (size_t i = 0; i < array_size(topics); i++)
		filters[i] = (char *)topics[i].filter;
	request.filters = filters;
	request.n_filters = array_size(topics);
	if (buf_reserve(&bytes, protobuf_c_message_get_packed_size(&request.base)))
		bytes.len = protobuf_c_message_pack(&request.base, (uint8_t *)bytes.data);
	call.bytes = bytes.data;
	call.len = bytes.len;
	ear->call = grpc_call_stream(ear->channel, &call, on_message, on_done, ear);
}

static void open_stream(struct listener *l)
{
	struct ear *ear = container_of(l, struct ear, listener);
	const struct grpc_channel_options o = {
		.max_message = MAX_EVENT_BYTES,
		.on_broken = on_broken,
		.ctx = ear,
	};
	int fd = daemon_connect(l->daemon, NULL);

	if (fd < 0 || grpc_channel_new(l->daemon->reactor, fd, &o, &ear->channel, NULL))
		listener_ended(l);
	else
		subscribe(ear);
}

void containerd_listen(struct daemon *d)
{
	struct ear *ear = xnew(struct ear);

	d->listener = &ear->listener;
	listener_begin(&ear->listener, d, open_stream);
}

void containerd_close(struct daemon *d)
{
	struct ear *ear = container_of(d->listener, struct ear, listener);

	stop(ear);
	listener_done(&ear->listener);
	free(ear);
	d->listener = NULL;
	rpc_close(d);
}
