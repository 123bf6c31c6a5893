// SPDX-License-Identifier: Apache-2.0
/*
 * Listening to containerd's events, of all its namespaces: where a container was created, of which
 * image, and with which first process. They come before the container runs. Labels are not in them:
 * for these containerd is asked at once, but for those containers that Kubernetes and Docker know.
 */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/containerd.h"
#include "containers/containerd.pb-c.h"
#include "containers/containerd_events.pb-c.h"
#include "net/grpc.h"

#define MAX_LABEL_CALLS 64
#define DEADLINE_NS 10000000000ull

/* Labels of a container that are asked for. */
struct label_call {
	TAILQ_ENTRY(label_call) link;
	struct ear *ear;
	struct grpc_call *call;
	char *namespace_, *id;
};

struct ear {
	struct listener listener;
	struct grpc_channel *channel; /* NULL: there is none now */
	struct grpc_call *call;
	TAILQ_HEAD(, label_call) label_calls;
	size_t n_label_calls;
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
		/* One that was there before had others. */
		h->pid = 0;
		h->has_labels = h->asked = false;
		labels_done(&h->labels);
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

static void pack(const ProtobufCMessage *message, struct buf *to)
{
	if (buf_reserve(to, protobuf_c_message_get_packed_size(message)))
		to->len = protobuf_c_message_pack(message, (uint8_t *)to->data);
}

/* ---- labels ---------------------------------------------------------------------- */

static void end_label_call(struct label_call *lc)
{
	TAILQ_REMOVE(&lc->ear->label_calls, lc, link);
	lc->ear->n_label_calls--;
	grpc_call_cancel(lc->call);
	free(lc->namespace_);
	free(lc->id);
	free(lc);
}

static void on_labels(void *ctx, const struct grpc_reply *reply)
{
	_cleanup_(container_unrefp) struct container *c = container_new();
	struct label_call *lc = ctx;
	struct heard *h;

	lc->call = NULL;
	if (reply->status == GRPC_OK && containerd_fill(NULL, c, reply->bytes, reply->len)) {
		h = listener_hear(&lc->ear->listener, lc->namespace_, lc->id);
		heard_set(&h->image, c->image_name);
		heard_set_labels(h, &c->labels);
	}
	end_label_call(lc);
}

static bool is_known_by_others(const struct heard *h)
{
	return !strcmp(h->namespace_, CONTAINERD_KUBERNETES) ||
	       !strcmp(h->namespace_, CONTAINERD_DOCKER);
}

static void ask_for_labels(struct ear *ear, struct heard *h)
{
	Containerd__Services__Containers__V1__GetContainerRequest request =
		CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
	const struct grpc_metadata metadata = {"containerd-namespace", h->namespace_};
	_cleanup_(buf_done) struct buf bytes = {.max = 2 * MAX_HEARD_TEXT_BYTES};
	struct grpc_request call = {
		.method = "/containerd.services.containers.v1.Containers/Get",
		.metadata = &metadata,
		.n_metadata = 1,
		.deadline_ns = DEADLINE_NS,
	};
	struct label_call *lc;

	if (h->asked || is_known_by_others(h) || ear->n_label_calls == MAX_LABEL_CALLS)
		return;
	h->asked = true;
	request.id = h->id;
	pack(&request.base, &bytes);
	call.bytes = bytes.data;
	call.len = bytes.len;
	lc = xnew(struct label_call);
	lc->ear = ear;
	lc->namespace_ = xstrdup(h->namespace_);
	lc->id = xstrdup(h->id);
	TAILQ_INSERT_TAIL(&ear->label_calls, lc, link);
	ear->n_label_calls++;
	lc->call = grpc_call_unary(ear->channel, &call, on_labels, lc);
}

/* ---- the stream ------------------------------------------------------------------ */

static void stop(struct ear *ear)
{
	struct label_call *lc;

	while ((lc = TAILQ_FIRST(&ear->label_calls)))
		end_label_call(lc);
	ear->call = grpc_call_cancel(ear->call);
	ear->channel = grpc_channel_free(ear->channel);
}

static void on_message(void *ctx, const void *bytes, size_t len)
{
	struct ear *ear = ctx;

	containerd_hear(&ear->listener, bytes, len);
	if (!TAILQ_EMPTY(&ear->listener.heard)) /* the one that it was about is the first */
		ask_for_labels(ear, TAILQ_FIRST(&ear->listener.heard));
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
	pack(&request.base, &bytes);
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
	TAILQ_INIT(&ear->label_calls);
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
