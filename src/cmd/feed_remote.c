// SPDX-License-Identifier: Apache-2.0
/* Gadgets that run at a daemon, and instances that are read there. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "client/remote_run.h"
#include "cmd/feed_internal.h"
#include "cmd/run_params.h"
#include "traces/merge.h"

#define LAST_ROWS_NS (5 * 1000000000ull) /* how long they are waited for */
#define MERGE_INTERVAL_NS 25000000ull

/* What the reader discarded here, of one container. */
struct discarded {
	char *name; /* "": of none */
	uint64_t rows;
};

struct far {
	struct far_feed *feed;
	unsigned int first_source;
	char *image;
	struct labels params;
	struct remote_run *run; /* NULL: not begun */
	struct clock_base clock;
	struct owner_names *host_owners; /* of its rows of no container */
	uint64_t taken, discarded;
	struct discarded *by_name;
	size_t n_names, room_names;
	bool ended;
	struct err failure; /* code 0: none */
};

struct far_feed {
	struct feed feed; /* first */
	struct remote *remote;
	struct far *fars;
	size_t n_streams;
	struct merge *merge; /* NULL: rows go on as they come */
	struct timer merge_timer, stop_timer;
	struct clock_base clock; /* ours */
	bool gave_up;
};

static struct far_feed *far_of(const struct feed *f)
{
	return (struct far_feed *)f;
}

static uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- rows ------------------------------------------------------------------------ */

static struct discarded *discarded_of(struct far *r, const char *name)
{
	for (size_t i = 0; i < r->n_names; i++)
		if (!strcmp(r->by_name[i].name, name))
			return &r->by_name[i];
	*grow(&r->by_name, &r->n_names, &r->room_names) = (struct discarded){xstrdup(name), 0};
	return &r->by_name[r->n_names - 1];
}

static void discard(struct far *r, const struct container *c)
{
	r->discarded++;
	discarded_of(r, c ? c->name : "")->rows++;
}

static void deliver(struct far *r, unsigned int source, const struct row *row, bool late)
{
	const struct feed_reader *to = &r->feed->feed.reader;

	if (to->row(to->ctx, r->first_source + source, row, late))
		r->taken++;
	else
		discard(r, row->part[PART_CONTAINER]);
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
		timer_start(&f->merge_timer, remote_reactor(f->remote), MERGE_INTERVAL_NS,
			    on_merge_time, f);
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
		timer_start(&f->merge_timer, remote_reactor(f->remote), MERGE_INTERVAL_NS,
			    on_merge_time, f);
}

static void on_row(void *ctx, unsigned int source, const struct row *row)
{
	struct far *r = ctx;
	const struct feed *f = &r->feed->feed;

	if (r->first_source + source >= f->n_sources)
		return;
	if (r->feed->merge && f->sources[r->first_source + source].kind == SOURCE_TRACER)
		merge(r, source, row);
	else
		deliver(r, source, row, false);
}

static void on_table_end(void *ctx, unsigned int source)
{
	const struct far *r = ctx;
	const struct feed *f = &r->feed->feed;

	if (r->first_source + source < f->n_sources)
		f->reader.table_end(f->reader.ctx, r->first_source + source);
}

static void on_lost(void *ctx, unsigned int source, const struct container *c, uint64_t count)
{
	const struct far *r = ctx;
	const struct feed *f = &r->feed->feed;

	if (r->first_source + source < f->n_sources)
		f->reader.lost(f->reader.ctx, r->first_source + source, c, count);
}

/* Severities as the protocol numbers them. */
static void on_log(void *ctx, unsigned int severity, const char *text)
{
	enum { ERROR = 2, WARNING = 3, INFO = 4 };

	log_line(severity <= ERROR     ? LOG_ERROR
		 : severity == WARNING ? LOG_WARN
		 : severity == INFO    ? LOG_INFO
				       : LOG_DEBUG,
		 "daemon: %s", text);
}

static void on_started(void *ctx, const struct wire_gadget *g)
{
	struct far *r = ctx;

	r->clock = g->clock;
}

static void on_ended(void *ctx, const struct err *err)
{
	struct far *r = ctx;

	r->ended = true;
	if (err)
		r->failure = *err;
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

	reactor_dispatch(remote_reactor(f->remote));
	f->feed.reader.dispatched(f->feed.reader.ctx);
}

/* ---- life ------------------------------------------------------------------------ */

static void begin(struct far *r)
{
	struct remote_reader to = reader;
	const struct remote_request request = {
		.image = r->image,
		.params = &r->params,
		.instance = r->feed->feed.options.instance,
		.last = r->feed->feed.options.last,
	};

	to.ctx = r;
	r->run = remote_run_new(r->feed->remote, &request, &to);
}

/* All can run, or none is begun. */
static int judge(struct far_feed *f, struct err *err)
{
	for (size_t i = 0; !f->feed.options.instance && i < f->feed.n_tracers; i++) {
		struct wire_gadget *g;
		int r = remote_gadget(f->remote, f->fars[i].image, &f->fars[i].params, &g, err);

		if (r)
			return r;
		wire_gadget_free(g);
	}
	return 0;
}

static int start(struct feed *feed, struct loop *loop, struct err *err)
{
	struct far_feed *f = far_of(feed);
	int r = judge(f, err);

	if (r)
		return r;
	for (size_t i = 0; i < feed->n_tracers; i++)
		begin(&f->fars[i]);
	return loop_add_fd(loop, reactor_fd(remote_reactor(f->remote)), on_remote, f, err);
}

static int have_ended(void *ctx)
{
	const struct far_feed *f = ctx;

	if (f->gave_up)
		return 1;
	for (size_t i = 0; i < f->feed.n_tracers; i++)
		if (f->fars[i].run && !f->fars[i].ended)
			return 0;
	return 1;
}

static void give_up(void *ctx)
{
	((struct far_feed *)ctx)->gave_up = true;
}

static void stop(struct feed *feed)
{
	struct far_feed *f = far_of(feed);

	for (size_t i = 0; i < f->feed.n_tracers; i++)
		if (f->fars[i].run && !f->fars[i].ended)
			remote_run_stop(f->fars[i].run);
	timer_start(&f->stop_timer, remote_reactor(f->remote), LAST_ROWS_NS, give_up, f);
	remote_wait(f->remote, have_ended, f);
	timer_stop(&f->stop_timer);
	if (f->merge)
		merge_release_all(f->merge);
}

static void free_far(struct far *r)
{
	remote_run_free(r->run);
	labels_done(&r->params);
	free(r->image);
	for (size_t i = 0; i < r->n_names; i++)
		free(r->by_name[i].name);
	free(r->by_name);
	owner_names_unref(r->host_owners);
}

static void free_feed(struct feed *feed)
{
	struct far_feed *f = far_of(feed);

	timer_stop(&f->merge_timer);
	if (f->merge)
		merge_release_all(f->merge); /* their containers are let go */
	merge_free(f->merge);
	for (size_t i = 0; i < f->feed.n_tracers; i++)
		free_far(&f->fars[i]);
	free(f->fars);
}

/* One that failed ends all, as it would here. */
static bool finished(const struct feed *feed)
{
	const struct far_feed *f = far_of(feed);

	for (size_t i = 0; i < feed->n_tracers; i++)
		if (f->fars[i].failure.code)
			return true;
	return have_ended((void *)f);
}

static int failure(const struct feed *feed, struct err *err)
{
	const struct far_feed *f = far_of(feed);

	for (size_t i = 0; i < f->feed.n_tracers; i++) {
		if (!f->fars[i].failure.code)
			continue;
		*err = f->fars[i].failure;
		return err->code;
	}
	return 0;
}

/* ---- totals ---------------------------------------------------------------------- */

static void take_back(struct feed *feed, size_t tracer, const struct container *c)
{
	struct far *r = &far_of(feed)->fars[tracer];

	r->taken--;
	discard(r, c);
}

/* As the daemon has it, and then what was discarded here of what it delivered. */
static struct totals less(struct totals n, uint64_t discarded)
{
	if (discarded > n.delivered)
		discarded = n.delivered;
	n.delivered -= discarded;
	n.discarded += discarded;
	return n;
}

static struct totals totals(const struct feed *feed, size_t tracer)
{
	const struct far *r = &far_of(feed)->fars[tracer];
	uint64_t lost = r->run ? remote_run_missed(r->run) : 0, difference;
	struct totals n;

	if (r->run && remote_run_totals(r->run, &n, &difference))
		return less(n, r->discarded);
	return (struct totals){r->taken + r->discarded + lost, r->taken, r->discarded, lost};
}

static uint64_t unaccounted(const struct feed *feed, size_t tracer)
{
	const struct far *r = &far_of(feed)->fars[tracer];
	uint64_t difference = 0;
	struct totals n;

	if (r->run)
		remote_run_totals(r->run, &n, &difference);
	return difference;
}

struct each {
	struct far *far;
	void (*fn)(void *ctx, const char *name, struct totals n);
	void *ctx;
};

static void give_total(void *ctx, const char *name, struct totals n)
{
	const struct each *e = ctx;

	e->fn(e->ctx, *name ? name : NULL, less(n, discarded_of(e->far, name)->rows));
}

static void each_total(const struct feed *feed, size_t tracer,
		       void (*fn)(void *ctx, const char *name, struct totals n), void *ctx)
{
	struct far *r = &far_of(feed)->fars[tracer];

	if (r->run)
		remote_run_each_total(r->run, give_total, &(struct each){r, fn, ctx});
}

static const struct feed_kind kind = {
	.start = start,
	.stop = stop,
	.free = free_feed,
	.finished = finished,
	.failure = failure,
	.take_back = take_back,
	.totals = totals,
	.unaccounted = unaccounted,
	.each_total = each_total,
};

/* ---- making one ------------------------------------------------------------------ */

static struct far_feed *far_feed_new(struct remote *r, size_t n, const struct feed_reader *to)
{
	struct far_feed *f = xnew(struct far_feed);

	feed_init(&f->feed, &kind, to);
	f->remote = r;
	f->fars = xnew_n(struct far, n);
	for (size_t i = 0; i < n; i++)
		f->fars[i].feed = f;
	clock_base_now(&f->clock);
	return f;
}

int feed_remote_new(struct gadget_flags *gadgets, const struct feed_options *o,
		    const struct feed_reader *to, struct feed **ret, struct err *err)
{
	struct far_feed *f = far_feed_new(gadgets->remote, gadgets->n, to);

	f->feed.options = *o;
	for (size_t i = 0; i < gadgets->n; i++) {
		const struct offer *offer = gadgets->offers[i];

		feed_add_tracer(&f->feed, offer_name(offer));
		f->fars[i].image = xstrdup(offer_image(offer));
		f->fars[i].first_source = f->feed.tracers[i].first_source;
		run_params(o, offer_params(offer), &f->fars[i].params);
		for (size_t s = 0; s < offer_n_sources(offer); s++) {
			feed_add_source(&f->feed, offer_source(offer, s));
			f->n_streams += offer_source(offer, s)->kind == SOURCE_TRACER;
		}
	}
	if (o->window_ns && f->n_streams > 1)
		f->merge = merge_new(o->window_ns, MAX_HELD_BYTES, on_merged, f);
	*ret = &f->feed;
	return 0;
}
