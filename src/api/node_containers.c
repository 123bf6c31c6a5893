// SPDX-License-Identifier: Apache-2.0
/* ig.v1.Node/Containers: the containers of the node as rows, once or as they come and go. */
#include "wire/node.pb-c.h"
#include "api/rows.h"
#include "api/service.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "containers/source.h"

#define NAMES_INTERVAL_NS 10000000ull
#define NAMES_TIMES                                                                   \
	100 /* that names are waited for: a second, as a container's records are held \
	     */

struct listing {
	struct manager *manager;
	struct grpc_served *call;
	struct selector *selector;
	struct rows rows;
	struct timer timer;
	unsigned int subscription, times;
	bool started, watching;
};

static void listing_free(struct listing *l)
{
	timer_stop(&l->timer);
	if (l->watching)
		containers_unsubscribe(manager_containers(l->manager), l->subscription);
	selector_free(l->selector);
	rows_done(&l->rows);
	free(l);
}

static void give(struct listing *l, const struct container_record *r, const struct container *c)
{
	struct row row = containers_row(r, c);

	if (selector_matches(l->selector, c))
		rows_row(&l->rows, 0, &row);
}

static void give_known(void *ctx, struct container *c)
{
	give(ctx, &(struct container_record){0}, c);
}

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct container_record r;

	if (containers_record(event, c, &r))
		give(ctx, &r, c);
}

static void start_containers(struct listing *l, const Ig__V1__ContainersRequest *m)
{
	struct schema *s = NULL;
	struct gadget_source source;
	const struct gadget_source *list = &source;

	if (containers_schema(&s, NULL))
		abort(); /* a constant */
	source = (struct gadget_source){
		.kind = m->watch ? SOURCE_TRACER : SOURCE_SNAPSHOT, .name = s->name, .schema = s};
	rows_start(&l->rows, l->call,
		   &(struct rows_meaning){.about = {.name = "containers", .image = "containers"},
					  .sources = &list,
					  .n_sources = 1,
					  .compact = m->compact,
					  .clock = manager_clock(l->manager)});
	schema_unref(s);
	l->started = true;
}

/* Those that are there, as soon as it is known what they are called. */
static void give_when_named(void *ctx)
{
	struct listing *l = ctx;
	struct containers *all = manager_containers(l->manager);

	if (containers_pending(all) && l->times++ < NAMES_TIMES) {
		timer_start(&l->timer, manager_reactor(l->manager), NAMES_INTERVAL_NS,
			    give_when_named, l);
		return;
	}
	containers_each(all, give_known, l);
	if (rows_table_end(&l->rows, 0))
		grpc_served_finish(l->call, GRPC_OK, NULL);
	else
		grpc_served_finish(l->call, GRPC_RESOURCE_EXHAUSTED,
				   "the containers are more than a message may have");
	listing_free(l);
}

int api_selector(const Ig__V1__ContainersRequest *m, struct selector **ret, struct err *err)
{
	if (!m)
		return selector_new(&(struct selector_options){0}, ret, err);
	return selector_new(
		&(struct selector_options){
			.container_name = m->containername,
			.container_id = m->containerid,
			.image = m->image,
			.annotations = m->annotation,
			.namespace_ = m->namespace_,
			.pod = m->podname,
			.labels = m->selector,
			.sandboxes = m->sandboxes,
		},
		ret, err);
}

static int list_containers(struct listing *l, const Ig__V1__ContainersRequest *m, struct err *err)
{
	int r = l->started ? err_set(err, -EINVAL, "one list at a time")
			   : api_selector(m, &l->selector, err);

	if (r)
		return r;
	start_containers(l, m);
	if (m->watch) { /* those that are there come first, as created */
		l->subscription = containers_subscribe(manager_containers(l->manager), on_event, l);
		l->watching = true;
		return 0;
	}
	give_when_named(l);
	return 0;
}

static void on_containers_message(void *ctx, struct grpc_served *call, const void *bytes,
				  size_t len)
{
	struct listing *l = ctx;
	Ig__V1__ContainersRequest *m = ig__v1__containers_request__unpack(NULL, len, bytes);
	struct err err = {0};
	int r = m ? list_containers(l, m, &err) : api_malformed(&err);

	if (m)
		ig__v1__containers_request__free_unpacked(m, NULL);
	if (r) {
		api_finish(call, r, &err);
		listing_free(l);
	}
}

static void on_containers_half_closed(void *ctx, struct grpc_served *call)
{
	struct listing *l = ctx;
	struct err err = {0};

	if (l->started)
		return;
	api_finish(call, api_no_request(&err), &err);
	listing_free(l);
}

static void on_containers_stopping(void *ctx, struct grpc_served *call)
{
	api_finish(call, 0, NULL);
	listing_free(ctx);
}

static void on_containers_gone(void *ctx, struct grpc_served *call)
{
	listing_free(ctx);
}

static void containers(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_containers_message,
							 .half_closed = on_containers_half_closed,
							 .stopping = on_containers_stopping,
							 .gone = on_containers_gone};
	struct listing *l = xnew(struct listing);

	l->manager = ((struct api *)ctx)->manager;
	l->call = call;
	grpc_served_start(call, &events, l);
}

static const struct grpc_method methods[] = {
	{"/ig.v1.Node/Containers", NULL, containers},
	{0},
};
static const struct api_service node_containers = {methods};
API_SERVICE(&node_containers);
