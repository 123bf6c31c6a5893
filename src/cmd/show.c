// SPDX-License-Identifier: Apache-2.0
#include "cmd/show.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "client/endpoints.h"
#include "cmd/report_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/sink.h"
#include "cmd/view_flags.h"

#define FEW_CONTAINERS 20 /* whose totals are shown unasked */

struct showing {
	struct loop loop;
	struct sink sink;
	struct feed *feed;
	bool host, said_if_none;
	bool all_containers; /* no selector was given */
	bool all_totals;
};

/* ---- rows ------------------------------------------------------------------------ */

static bool on_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	struct showing *s = ctx;
	bool delivered = sink_row(&s->sink, source, row, late);

	if (sink_full(&s->sink))
		loop_stop(&s->loop);
	return delivered;
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct showing *s = ctx;

	sink_table_end(&s->sink, source);
}

static void on_lost(void *ctx, unsigned int source, const struct container *c, uint64_t count)
{
	struct showing *s = ctx;

	sink_lost(&s->sink, source, c, count);
}

/* A row that --max-entries cut off a table: taken, and not shown. */
static void on_cut(void *ctx, unsigned int source, const struct row *row)
{
	struct showing *s = ctx;

	feed_take_back(s->feed, source, row);
}

/* Once, as soon as the names of those that ran already are known. */
static void say_if_none(struct showing *s)
{
	if (s->said_if_none || feed_names_pending(s->feed))
		return;
	s->said_if_none = true;
	if (!s->host && !feed_n_containers(s->feed))
		log_warn("no container %s; new ones are followed as they start, and --host shows "
			 "the host's own processes",
			 s->all_containers ? "found" : "matches");
}

/* Who looks at an empty screen is told why it is. */
static void say_when(const struct showing *s)
{
	if (view_prints_at_end(s->sink.view) && isatty(STDERR_FILENO))
		fputs("the result comes at the end: Ctrl-C, or --timeout\n", stderr);
}

static void on_dispatched(void *ctx)
{
	struct showing *s = ctx;

	say_if_none(s);
	if (sink_flush(&s->sink) || feed_finished(s->feed))
		loop_stop(&s->loop);
}

static void on_flush_due(void *ctx)
{
	struct showing *s = ctx;

	sink_flush_file(&s->sink);
}

static void on_resize(void *ctx)
{
	struct showing *s = ctx;

	view_flags_resize(s->sink.view);
}

/* ---- totals ---------------------------------------------------------------------- */

static struct record_totals record_totals(struct totals n)
{
	return (struct record_totals){n.seen, n.delivered, n.discarded, n.lost};
}

static void count_container(void *ctx, const char *name, struct totals n)
{
	*(size_t *)ctx += n.delivered > 0;
}

enum told { TOLD_LOST, TOLD_DELIVERED, TOLD_SEEN }; /* of containers: those that did */

static void say_container(void *ctx, const char *name, struct totals n)
{
	enum told which = *(const enum told *)ctx;
	uint64_t told = which == TOLD_SEEN ? n.seen : which == TOLD_DELIVERED ? n.delivered : 0;

	if (told || n.lost)
		sink_container_totals(name ?: "(no container)", record_totals(n));
}

/* A tracer's totals, then those of its containers, where they are few or lost something. */
static void say_totals(struct showing *s, size_t tracer)
{
	const char *name = feed_name(s->feed, tracer);
	uint64_t difference = feed_unaccounted(s->feed, tracer);
	enum told told = TOLD_LOST;
	size_t containers = 0;

	sink_totals(&s->sink, feed_first_source(s->feed, tracer), name,
		    record_totals(feed_totals(s->feed, tracer)));
	feed_each_total(s->feed, tracer, count_container, &containers);
	/* One that gave nothing, since its name was not asked for, is worth no line. */
	if (s->all_totals)
		told = TOLD_SEEN;
	else if (containers > 1 && containers <= FEW_CONTAINERS)
		told = TOLD_DELIVERED;
	feed_each_total(s->feed, tracer, say_container, &told);
	if (difference)
		log_warn("%s: the kernel's counters and the records read differ by %" PRIu64
			 "; the totals take the difference as lost or seen",
			 name, difference);
}

static bool nothing_came(const struct showing *s)
{
	for (size_t i = 0; i < feed_n_tracers(s->feed); i++)
		if (feed_totals(s->feed, i).seen)
			return false;
	return true;
}

/* ---- all of it ------------------------------------------------------------------- */

/* Of a cluster, whose addresses have names. */
static int add_source(struct showing *s, const struct gadget_source *source, bool in_cluster,
		      struct err *err)
{
	int r = in_cluster ? endpoints_add_fields(source->schema, err) : 0;

	return r ?: sink_add(&s->sink, source, err);
}

/* What a container was started with is in a folder of its node's. */
static int check_report(const struct gadget_flags *gadgets, struct err *err)
{
	if (!gadgets->cluster || !str_equal(labels_get(report_flags_options(), "diff"), "in-force"))
		return 0;
	return err_set(
		err, -EINVAL,
		"--diff in-force: that profile is on its node; name a file, or run ig there");
}

/* Everything that the command line can get wrong shows here, before anything is loaded. */
static int open_output(struct showing *s, const struct gadget_flags *gadgets, bool each_table,
		       const struct show_options *o, struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options vo;
	int r;

	view_flags_options(&vo);
	vo.fields = fields = selector_flags_fields(vo.fields, vo.output);
	/* Rows of many machines each have their clock; all of them know Unix time. */
	vo.clock = gadgets->cluster ? (struct clock_base){0} : offer_clock(gadgets->offers[0]);
	vo.cut = on_cut;
	vo.cut_ctx = s;
	vo.each_table = each_table;
	r = check_report(gadgets, err);
	r = r ?: sink_init(&s->sink, &vo, o->record, o->append, err);
	for (size_t i = 0; !r && i < gadgets->n; i++)
		for (size_t j = 0; !r && j < offer_n_sources(gadgets->offers[i]); j++)
			r = add_source(s, offer_source(gadgets->offers[i], j), gadgets->cluster,
				       err);
	return r ?: sink_start(&s->sink, err);
}

static int open_feed(struct showing *s, struct gadget_flags *gadgets, const struct feed_options *o,
		     struct err *err)
{
	const struct feed_reader reader = {
		.ctx = s,
		.row = on_row,
		.table_end = on_table_end,
		.lost = on_lost,
		.dispatched = on_dispatched,
	};

	return gadgets->remote ? feed_remote_new(gadgets, o, &reader, &s->feed, err)
			       : feed_local_new(gadgets, o, &reader, &s->feed, err);
}

static int follow(struct showing *s, const struct show_options *o, struct err *err)
{
	int r = loop_init(&s->loop, err);

	r = r ?: feed_start(s->feed, &s->loop, err);
	if (r)
		return r;
	say_when(s);
	say_if_none(s);
	r = loop_add_signal(&s->loop, SIGWINCH, on_resize, s, err);
	if (!r && sink_flush_fd(&s->sink) >= 0)
		r = loop_add_fd(&s->loop, sink_flush_fd(&s->sink), on_flush_due, s, err);
	if (!r && o->timeout_ns)
		r = loop_timeout(&s->loop, o->timeout_ns, err);
	if (!r)
		loop_run(&s->loop);
	feed_stop(s->feed);
	r = r ?: feed_failure(s->feed, err);
	if (r && nothing_came(s)) /* it has not even begun */
		return r;
	r = sink_end(&s->sink, r ? NULL : err) ?: r;
	sink_flush(&s->sink);
	for (size_t i = 0; i < feed_n_tracers(s->feed); i++)
		say_totals(s, i);
	feed_say_trouble(s->feed);
	return r;
}

int show(struct gadget_flags *gadgets, const struct feed_options *feed,
	 const struct show_options *o, struct err *err)
{
	struct showing s = {.host = feed->host, .all_totals = o->all_totals};
	struct selector *selector = NULL;
	int r = selector_new(&feed->selector, &selector, err);

	s.all_containers = !r && selector_is_all(selector);
	selector_free(selector);
	r = r ?: open_output(&s, gadgets, feed->interval_ns, o, err);
	r = r ?: open_feed(&s, gadgets, feed, err);
	r = r ?: follow(&s, o, err);
	feed_free(s.feed);
	r = sink_done(&s.sink, r ? NULL : err) ?: r;
	loop_done(&s.loop);
	return r;
}
