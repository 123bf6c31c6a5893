// SPDX-License-Identifier: Apache-2.0
/*
 * Gadgets that run at a daemon, and instances that are read there; or at the daemons of a cluster,
 * whose rows become one stream, and whose tables one table.
 */
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/feed_remote.h"
#include "cmd/run_params.h"

#define LAST_ROWS_NS (5 * 1000000000ull) /* how long they are waited for */
#define LAST_OF_NODES_NS 800000000ull	 /* the same of many, of which some may not answer */
#define SNAPSHOT_NS (10 * 1000000000ull) /* those who have not told theirs by then are left out */
#define MERGE_INTERVAL_NS 25000000ull

static uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- rows ------------------------------------------------------------------------ */

static void deliver(struct far *r, unsigned int source, const struct row *row, bool late)
{
	const struct feed_reader *to = &r->feed->feed.reader;
	struct row named = r->node->node ? cluster_row(r->node->node, row) : *row;

	if (r->feed->names)
		cluster_names_row(r->feed->names, r->first_source + source, &named);
	if (to->row(to->ctx, r->first_source + source, &named, late))
		r->taken++;
	else
		far_discard(r, row->part[PART_CONTAINER]);
}

static void on_merged(void *ctx, const struct merge_row *m, bool late)
{
	struct far *r = m->owner;
	struct container *c = m->tag;
	struct row row = container_row(c, m->record, m->size, r->host_owners);

	deliver(r, m->source, &row, late);
	container_unref(c);
}

/* When the row was made, by our clock. */
static uint64_t time_of(const struct far *r, const struct schema *s, const struct row *row)
{
	int64_t at = 0;

	if (s->time_field < 0 || !row_number(row, &s->fields[s->time_field], &at))
		return boot_now();
	return (uint64_t)(at + r->clock.boot_to_real_ns - r->feed->clock.boot_to_real_ns);
}

static void on_merge_time(void *ctx)
{
	struct far_feed *f = ctx;

	merge_release(f->merge, boot_now());
	if (merge_held(f->merge))
		timer_start(&f->merge_timer, f->reactor, MERGE_INTERVAL_NS, on_merge_time, f);
	f->feed.reader.dispatched(f->feed.reader.ctx);
}

static void merge(struct far *r, unsigned int source, const struct row *row)
{
	struct far_feed *f = r->feed;
	const struct gadget_source *s = &f->feed.sources[r->first_source + source];
	struct container *c = (struct container *)row->part[PART_CONTAINER];
	const struct merge_row m = {
		.owner = r,
		.tag = c ? container_ref(c) : NULL,
		.source = source,
		.size = row->size[PART_RECORD],
		.record = row->part[PART_RECORD],
		.time = time_of(r, s->schema, row),
	};

	if (!c && r->host_owners != row->owners) {
		owner_names_unref(r->host_owners);
		r->host_owners = owner_names_ref(row->owners);
	}
	merge_push(f->merge, &m, boot_now());
	if (!f->merge_timer.reactor)
		timer_start(&f->merge_timer, f->reactor, MERGE_INTERVAL_NS, on_merge_time, f);
}

/* ---- tables ---------------------------------------------------------------------- */

static uint64_t bit(const struct far *r, unsigned int source)
{
	return 1ull << ((source - r->first_source) & 63);
}

/* The table is whole, or has to do without those that have told nothing. */
static void end_table(struct far_feed *f, size_t tracer, unsigned int source)
{
	for (size_t i = 0; i < f->n_nodes; i++) {
		struct far *r = far_at(f, i, tracer);

		r->told &= ~bit(r, source);
	}
	f->feed.reader.table_end(f->feed.reader.ctx, source);
}

static bool all_have_told(struct far_feed *f, size_t tracer, unsigned int source)
{
	bool some = false;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct far *r = far_at(f, i, tracer);
		bool told = r->told & bit(r, source);

		if (!told && !r->ended)
			return false;
		some = some || told;
	}
	return some;
}

/* ---- what daemons say ------------------------------------------------------------ */

static bool is_known(const struct far *r, unsigned int source)
{
	return !r->refused && r->first_source + source < r->feed->feed.n_sources;
}

static void on_row(void *ctx, unsigned int source, const struct row *row)
{
	struct far *r = ctx;
	struct far_feed *f = r->feed;
	unsigned int number = r->first_source + source;

	if (!is_known(r, source))
		return;
	if (f->feed.sources[number].kind == SOURCE_TRACER) {
		if (f->merge)
			merge(r, source, row);
		else
			deliver(r, source, row, false);
		return;
	}
	if (r->told & bit(r, number)) /* it is a table ahead of one that is not waited for longer */
		end_table(f, r->tracer, number);
	deliver(r, source, row, false);
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct far *r = ctx;
	unsigned int number = r->first_source + source;

	if (!is_known(r, source))
		return;
	if (r->told & bit(r, number))
		end_table(r->feed, r->tracer, number);
	r->told |= bit(r, number);
	if (all_have_told(r->feed, r->tracer, number))
		end_table(r->feed, r->tracer, number);
}

static void on_lost(void *ctx, unsigned int source, const struct container *c, uint64_t count)
{
	const struct far *r = ctx;
	const struct feed *f = &r->feed->feed;

	if (r->node->node) /* it was made to tell this */
		c = cluster_container(r->node->node, (struct container *)c);
	if (is_known(r, source))
		f->reader.lost(f->reader.ctx, r->first_source + source, c, count);
}

/* Severities as the protocol numbers them. */
static void on_log(void *ctx, unsigned int severity, const char *text)
{
	enum { ERROR = 2, WARNING = 3, INFO = 4 };
	const struct far *r = ctx;

	log_line(severity <= ERROR     ? LOG_ERROR
		 : severity == WARNING ? LOG_WARN
		 : severity == INFO    ? LOG_INFO
				       : LOG_DEBUG,
		 "%s: %s", r->node->node ? r->node->node->name : "daemon", text);
}

/* Of several daemons each must mean the same by a row. */
static bool is_same(const struct far *r, const struct wire_gadget *g)
{
	const struct feed *f = &r->feed->feed;
	size_t end = r->tracer + 1 < f->n_tracers ? f->tracers[r->tracer + 1].first_source
						  : f->n_sources;

	if (g->n_sources != end - r->first_source)
		return false;
	for (size_t i = 0; i < g->n_sources; i++)
		if (!schema_same(g->sources[i].schema, f->sources[r->first_source + i].schema))
			return false;
	return true;
}

static void share_schemas(const struct far *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		remote_run_share(r->run, i, r->feed->feed.sources[r->first_source + i].schema);
}

static void on_started(void *ctx, const struct wire_gadget *g)
{
	struct far *r = ctx;

	r->clock = g->clock;
	if (!r->node->node)
		return;
	r->node->node->clock = g->clock;
	r->refused = !is_same(r, g);
	if (!r->refused) {
		share_schemas(r, g->n_sources);
	} else {
		log_warn("node %s has another version of %s, which is left out",
			 r->node->node->name, g->name);
		remote_run_stop(r->run);
	}
}

/* The rest goes on without it. */
static void say_lost_node(struct far *r, const struct err *err)
{
	struct far_node *n = r->node;
	struct err why = {0};

	if (n->lost || r->feed->stopping)
		return;
	if (remote_broken(n->remote, &why))
		err = &why;
	/* It has none of that name, or has stopped it: an agent that ends breaks its connection. */
	if (!why.code && r->feed->feed.options.instance && (!err || err->code == -ENOENT))
		return;
	if (err && !why.code) { /* the node is there, the gadget is not */
		log_warn("node %s: %s: %s; going on without it", n->node->name,
			 feed_name(&r->feed->feed, r->tracer), err->text);
		return;
	}
	n->lost = true;
	log_warn("node %s is lost: %s; going on without it", n->node->name,
		 err ? err->text : "its agent has ended");
	cluster_lost(r->feed->cluster, n->node);
}

/* A stream ends when it is asked to. */
static bool is_stream(const struct far *r)
{
	const struct feed *f = &r->feed->feed;

	return r->first_source < f->n_sources && f->sources[r->first_source].kind == SOURCE_TRACER;
}

static void on_ended(void *ctx, const struct err *err)
{
	struct far *r = ctx;
	struct far_feed *f = r->feed;

	r->ended = true;
	if (err)
		r->failure = *err;
	if (!r->node->node)
		return;
	if (err || (is_stream(r) && !r->refused))
		say_lost_node(r, err);
	if (r->told || is_stream(r) || r->first_source >= f->feed.n_sources)
		return;
	/* It is waited for no longer. */
	if (all_have_told(f, r->tracer, r->first_source))
		end_table(f, r->tracer, r->first_source);
}

static const struct remote_reader reader = {
	.started = on_started,
	.row = on_row,
	.table_end = on_table_end,
	.lost = on_lost,
	.log = on_log,
	.ended = on_ended,
};

static void on_remote(void *ctx)
{
	struct far_feed *f = ctx;

	reactor_dispatch(f->reactor);
	f->feed.reader.dispatched(f->feed.reader.ctx);
}

/* ---- life ------------------------------------------------------------------------ */

static void begin(struct far *r)
{
	const struct far_gadget *g = &r->feed->gadgets[r->tracer];
	struct remote_reader to = reader;
	const struct remote_request request = {
		.image = g->image,
		.params = &g->params,
		.instance = r->feed->feed.options.instance,
		.last = r->feed->feed.options.last,
	};

	to.ctx = r;
	r->run = remote_run_new(r->node->remote, &request, &to);
}

/* All can run, or none is begun. Of a cluster's daemons one is asked for all. */
static int judge(struct far_feed *f, struct err *err)
{
	for (size_t i = 0; !f->feed.options.instance && i < f->feed.n_tracers; i++) {
		struct wire_gadget *g;
		int r = remote_gadget(f->nodes[0]->remote, f->gadgets[i].image,
				      &f->gadgets[i].params, &g, err);

		if (r)
			return r;
		wire_gadget_free(g);
	}
	return 0;
}

static struct far_node *add_node(struct far_feed *f, struct remote *remote,
				 struct cluster_node *node)
{
	struct far_node *n = xnew(struct far_node);

	*n = (struct far_node){.remote = remote, .node = node};
	n->fars = xnew_n(struct far, f->feed.n_tracers);
	for (size_t i = 0; i < f->feed.n_tracers; i++) {
		n->fars[i].feed = f;
		n->fars[i].node = n;
		n->fars[i].tracer = i;
		n->fars[i].first_source = f->feed.tracers[i].first_source;
		discards_init(&n->fars[i].discarded);
	}
	*grow(&f->nodes, &f->n_nodes, &f->room_nodes) = n;
	return n;
}

static void give_up(void *ctx)
{
	((struct far_feed *)ctx)->gave_up = true;
}

static void begin_all(struct far_feed *f, struct far_node *n)
{
	for (size_t i = 0; i < f->feed.n_tracers; i++)
		begin(&n->fars[i]);
}

static struct far_node *node_of(const struct far_feed *f, const struct cluster_node *node)
{
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i]->node == node)
			return f->nodes[i];
	return NULL;
}

/* Streams and tables that repeat are told by those who come later as well. */
static void on_joined(void *ctx, struct cluster_node *node, bool is_back)
{
	struct far_feed *f = ctx;
	struct far_node *n = node_of(f, node) ?: add_node(f, node->remote, node);

	log_warn("node %s %s", node->name, is_back ? "is back" : "has joined");
	n->remote = node->remote;
	n->lost = false;
	for (size_t i = 0; i < f->feed.n_tracers; i++)
		far_begin_anew(&n->fars[i]);
	begin_all(f, n);
}

static void on_silent(void *ctx, struct cluster_node *node, bool is_silent)
{
	log_warn("node %s %s", node->name,
		 is_silent ? "does not answer; it is waited for" : "answers again");
}

static void on_trouble(void *ctx, const struct err *err)
{
	if (err)
		log_warn("nodes that join are not seen: %s", err->text);
	else
		log_warn("nodes that join are seen again");
}

static bool has_snapshot(const struct feed *f)
{
	for (size_t i = 0; i < f->n_sources; i++)
		if (f->sources[i].kind == SOURCE_SNAPSHOT)
			return true;
	return false;
}

static int start(struct feed *feed, struct loop *loop, struct err *err)
{
	static const struct cluster_events events = {on_joined, on_silent, on_trouble};
	struct far_feed *f = far_of(feed);
	int r = judge(f, err);

	if (r)
		return r;
	far_names_open(f);
	for (size_t i = 0; i < f->n_nodes; i++)
		begin_all(f, f->nodes[i]);
	f->follows = f->cluster && !feed->options.instance && !has_snapshot(feed);
	if (f->follows)
		cluster_follow(f->cluster, &events, f);
	else if (f->cluster && !feed->options.instance)
		timer_start(&f->stop_timer, f->reactor, SNAPSHOT_NS, give_up, f);
	return loop_add_fd(loop, reactor_fd(f->reactor), on_remote, f, err);
}

static int have_ended(void *ctx)
{
	const struct far_feed *f = ctx;

	if (f->gave_up)
		return 1;
	for (size_t i = 0; i < far_count(f); i++)
		if (far_nth(f, i)->run && !far_nth(f, i)->ended)
			return 0;
	return 1;
}

/* A node's totals come with its end. */
static void say_unanswered(struct far *r)
{
	if (r->ended || !r->node->node || r->node->lost)
		return;
	r->node->lost = true;
	log_warn("node %s does not answer: its last records and its totals are not known",
		 r->node->node->name);
}

/* What some have told is shown without the others. */
static void end_tables(struct far_feed *f)
{
	for (size_t i = 0; i < far_count(f); i++) {
		const struct far *r = far_nth(f, i);

		for (unsigned int s = r->first_source; r->told && s < f->feed.n_sources; s++)
			if (feed_tracer_of(&f->feed, s) == r->tracer && r->told & bit(r, s))
				end_table(f, r->tracer, s);
	}
}

static void stop(struct feed *feed)
{
	struct far_feed *f = far_of(feed);

	f->stopping = true;
	if (f->cluster)
		cluster_unfollow(f->cluster);
	for (size_t i = 0; i < far_count(f); i++)
		if (far_nth(f, i)->run && !far_nth(f, i)->ended)
			remote_run_stop(far_nth(f, i)->run);
	timer_start(&f->stop_timer, f->reactor, f->cluster ? LAST_OF_NODES_NS : LAST_ROWS_NS,
		    give_up, f);
	remote_wait(f->nodes[0]->remote, have_ended, f);
	timer_stop(&f->stop_timer);
	for (size_t i = 0; i < far_count(f); i++)
		say_unanswered(far_nth(f, i));
	end_tables(f);
	if (f->merge)
		merge_release_all(f->merge);
}

static void free_far(struct far *r)
{
	remote_run_free(r->run);
	discards_done(&r->discarded);
	owner_names_unref(r->host_owners);
}

static void free_feed(struct feed *feed)
{
	struct far_feed *f = far_of(feed);

	timer_stop(&f->merge_timer);
	if (f->merge)
		merge_release_all(f->merge); /* their containers are let go */
	merge_free(f->merge);
	cluster_names_free(f->names);
	for (size_t i = 0; i < far_count(f); i++)
		free_far(far_nth(f, i));
	for (size_t i = 0; i < f->n_nodes; i++) {
		free(f->nodes[i]->fars);
		free(f->nodes[i]);
	}
	for (size_t i = 0; f->gadgets && i < f->feed.n_tracers; i++) {
		labels_done(&f->gadgets[i].params);
		free(f->gadgets[i].image);
	}
	free(f->gadgets);
	free(f->nodes);
}

/* Nodes that are lost may come back; those that are there and do not run it will not. */
static bool runs_nowhere(const struct far_feed *f)
{
	for (size_t i = 0; i < far_count(f); i++) {
		const struct far *r = far_nth(f, i);

		if (r->node->lost || !r->ended || !(r->refused || r->failure.code))
			return false;
	}
	return true;
}

/* One that failed ends all, as it would here. */
static bool finished(const struct feed *feed)
{
	const struct far_feed *f = far_of(feed);

	for (size_t i = 0; !f->cluster && i < far_count(f); i++)
		if (far_nth(f, i)->failure.code)
			return true;
	return f->follows ? runs_nowhere(f) : have_ended((void *)f);
}

/* Of a cluster's nodes, if none is left. */
static int failure(const struct feed *feed, struct err *err)
{
	const struct far_feed *f = far_of(feed);
	const struct far *failed = NULL;

	for (size_t i = 0; i < far_count(f); i++) {
		if (far_nth(f, i)->failure.code)
			failed = failed ?: far_nth(f, i);
		else if (f->cluster && !far_nth(f, i)->refused)
			return 0; /* this one did not fail */
	}
	if (!failed)
		return 0;
	*err = failed->failure;
	return failed->node->node ? err_wrap(err, err->code, "node %s", failed->node->node->name)
				  : err->code;
}

static const struct feed_kind kind = {
	.start = start,
	.stop = stop,
	.free = free_feed,
	.finished = finished,
	.failure = failure,
	.take_back = far_take_back,
	.totals = far_totals,
	.unaccounted = far_unaccounted,
	.each_total = far_each_total,
};

/* ---- making one ------------------------------------------------------------------ */

static void add_nodes(struct far_feed *f, struct remote *remote)
{
	if (!f->cluster)
		add_node(f, remote, NULL);
	for (size_t i = 0; f->cluster && i < cluster_n_nodes(f->cluster); i++) {
		struct cluster_node *node = cluster_node(f->cluster, i);

		if (node->remote)
			add_node(f, node->remote, node);
	}
}

static void add_gadget(struct far_feed *f, const struct offer *offer, struct far_gadget *g)
{
	g->image = xstrdup(offer_image(offer));
	run_params(&f->feed.options, offer_params(offer), &g->params);
	feed_add_tracer(&f->feed, offer_name(offer));
	for (size_t s = 0; s < offer_n_sources(offer); s++) {
		feed_add_source(&f->feed, offer_source(offer, s));
		f->n_streams += offer_source(offer, s)->kind == SOURCE_TRACER;
	}
}

int feed_remote_new(struct gadget_flags *gadgets, const struct feed_options *o,
		    const struct feed_reader *to, struct feed **ret, struct err *err)
{
	struct far_feed *f = xnew(struct far_feed);

	feed_init(&f->feed, &kind, to);
	f->feed.options = *o;
	f->reactor = remote_reactor(gadgets->remote);
	clock_base_now(&f->clock);
	f->cluster = gadgets->cluster;
	f->gadgets = xnew_n(struct far_gadget, gadgets->n);
	for (size_t i = 0; i < gadgets->n; i++)
		add_gadget(f, gadgets->offers[i], &f->gadgets[i]);
	add_nodes(f, gadgets->remote);
	if (o->window_ns && f->n_streams > (f->cluster ? 0 : 1))
		f->merge = merge_new(o->window_ns, MAX_HELD_BYTES, on_merged, f);
	*ret = &f->feed;
	return 0;
}
