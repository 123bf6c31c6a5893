// SPDX-License-Identifier: Apache-2.0
/* Gadgets that run here. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/container_flags.h"
#include "cmd/feed_internal.h"
#include "containers/containers.h"

struct local {
	struct feed feed; /* first */
	struct containers *containers;
	struct selector *selector;
	struct traces *traces;
	struct trace **traced; /* one for each of the feed's tracers */
};

static struct local *local_of(const struct feed *f)
{
	return (struct local *)f;
}

/* ---- rows ------------------------------------------------------------------------ */

static unsigned int source_of(const struct local *l, const struct trace *t, unsigned int source)
{
	for (size_t i = 0; i < l->feed.n_tracers; i++)
		if (l->traced[i] == t)
			return l->feed.tracers[i].first_source + source;
	return 0;
}

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct local *l = ctx;
	const struct feed_reader *to = &l->feed.reader;

	return to->row(to->ctx, source_of(l, t, source), row, late) ? ROW_DELIVERED : ROW_DISCARDED;
}

static void on_table_end(void *ctx, struct trace *t, unsigned int source)
{
	struct local *l = ctx;

	l->feed.reader.table_end(l->feed.reader.ctx, source_of(l, t, source));
}

static void on_lost(void *ctx, struct trace *t, struct container *c, struct loss loss)
{
	struct local *l = ctx;

	l->feed.reader.lost(l->feed.reader.ctx, source_of(l, t, 0), c, loss.count);
}

static void on_note(void *ctx, struct trace *t, struct container *c, const char *text)
{
	log_warn("%s: %s: %s", gadget_name(trace_gadget(t)), c ? c->name : "the host", text);
}

static void on_traces(void *ctx)
{
	struct local *l = ctx;

	traces_dispatch(l->traces);
	l->feed.reader.dispatched(l->feed.reader.ctx);
}

/* ---- life ------------------------------------------------------------------------ */

static int start(struct feed *f, struct loop *loop, struct err *err)
{
	struct local *l = local_of(f);
	int r;

	loop_use_all_descriptors();
	r = containers_start(l->containers, err);

	r = r ?: traces_start(l->traces, err);
	return r ?: loop_add_fd(loop, traces_fd(l->traces), on_traces, l, err);
}

static void stop(struct feed *f)
{
	traces_stop(local_of(f)->traces);
}

static void free_local(struct feed *f)
{
	struct local *l = local_of(f);

	traces_free(l->traces);
	containers_free(l->containers);
	selector_free(l->selector);
	free(l->traced);
}

static bool finished(const struct feed *f)
{
	return traces_finished(local_of(f)->traces);
}

static bool names_pending(const struct feed *f)
{
	return containers_pending(local_of(f)->containers);
}

static size_t n_containers(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_tracers; i++)
		n += trace_n_containers(local_of(f)->traced[i]);
	return n;
}

static void say_trouble(const struct feed *f)
{
	const struct local *l = local_of(f);
	struct naming n = traces_naming(l->traces);

	log_info("names were waited for with records of %" PRIu64 " of %" PRIu64
		 " containers, at most %" PRIu64 " us",
		 n.waited_for, n.containers, n.longest_ns / 1000);
	if (containers_trouble(l->containers))
		log_warn("%zu files of runtimes could not be used",
			 containers_trouble(l->containers));
}

/* ---- totals ---------------------------------------------------------------------- */

static void take_back(struct feed *f, size_t tracer, const struct container *c, const char *node)
{
	trace_take_back(local_of(f)->traced[tracer], c);
}

static struct totals totals(const struct feed *f, size_t tracer)
{
	return trace_totals(local_of(f)->traced[tracer]);
}

static uint64_t unaccounted(const struct feed *f, size_t tracer)
{
	return trace_unaccounted(local_of(f)->traced[tracer]);
}

struct each {
	void (*fn)(void *ctx, const char *name, struct totals n);
	void *ctx;
};

static void give_total(void *ctx, struct container *c, struct totals n)
{
	const struct each *e = ctx;

	e->fn(e->ctx, c ? c->name : NULL, n);
}

static void each_total(const struct feed *f, size_t tracer,
		       void (*fn)(void *ctx, const char *name, struct totals n), void *ctx)
{
	trace_each_total(local_of(f)->traced[tracer], give_total, &(struct each){fn, ctx});
}

static const struct feed_kind kind = {
	.start = start,
	.stop = stop,
	.free = free_local,
	.finished = finished,
	.names_pending = names_pending,
	.n_containers = n_containers,
	.say_trouble = say_trouble,
	.take_back = take_back,
	.totals = totals,
	.unaccounted = unaccounted,
	.each_total = each_total,
};

/* ---- making one ------------------------------------------------------------------ */

static int add_tracers(struct local *l, struct gadget_flags *gadgets, struct err *err)
{
	const struct feed_options *o = &l->feed.options;
	struct trace_options to = {
		.selector = l->selector,
		.interval_ns = o->interval_ns,
		.reader = {.ctx = l,
			   .row = on_row,
			   .table_end = on_table_end,
			   .lost = on_lost,
			   .note = on_note},
	};
	int r = 0;

	gadget_load_options_init(&to.load);
	to.load.host = o->host;
	to.load.buffer_bytes = o->buffer_bytes;
	to.load.process = o->process;
	for (size_t i = 0; !r && i < gadgets->n; i++)
		r = traces_add(l->traces, offer_take_gadget(gadgets->offers[i]), &to, &l->traced[i],
			       err);
	return r;
}

int feed_local_new(struct gadget_flags *gadgets, const struct feed_options *o,
		   const struct feed_reader *reader, struct feed **ret, struct err *err)
{
	const struct traces_options to = {.window_ns = o->window_ns};
	struct local *l = xnew(struct local);
	struct containers_options co;
	int r;

	feed_init(&l->feed, &kind, reader);
	l->feed.options = *o;
	l->traced = xnew_n(struct trace *, gadgets->n);
	for (size_t i = 0; i < gadgets->n; i++) {
		feed_add_tracer(&l->feed, offer_name(gadgets->offers[i]));
		for (size_t s = 0; s < offer_n_sources(gadgets->offers[i]); s++)
			feed_add_source(&l->feed, offer_source(gadgets->offers[i], s));
	}
	container_flags_options(&co);
	r = selector_new(&o->selector, &l->selector, err);
	r = r ?: containers_new(&co, &l->containers, err);
	r = r ?: traces_new(l->containers, &to, &l->traces, err);
	r = r ?: add_tracers(l, gadgets, err);
	if (r)
		feed_free(&l->feed);
	else
		*ret = &l->feed;
	return r;
}
