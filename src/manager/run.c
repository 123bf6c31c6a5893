// SPDX-License-Identifier: Apache-2.0
#include "manager/run.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/json.h"
#include "manager/internal.h"
#include "manager/ledger.h"
#include "traces/note.h"

#define NAMES_INTERVAL_NS 5000000 /* how often a snapshot that waits for names looks */
#define NAMES_LOOKS 400		  /* two seconds: containers may come all the time */

struct run {
	TAILQ_ENTRY(run) link;
	struct manager *manager;
	char *id, *name; /* NULL: it could not be made */
	struct run_spec spec;
	struct run_plan plan;
	struct run_reader reader;
	TAILQ_HEAD(, run_watcher) watchers;
	struct gadget *gadget; /* the plan's, until the trace has taken it over */
	struct trace *trace;
	bool finished;
	struct timer timer; /* of its end, or until names are known */
	unsigned int looks; /* for these names */
	struct err failure; /* of a start that had to wait */

	/* Bound to a tracer: how its lines are made, for each source. */
	char *tracer;
	struct run_line {
		struct schema *schema;
		struct json_plan *plan;
	} * lines;
	size_t n_lines;
	struct buf line;
};

/* ---- rows ------------------------------------------------------------------------ */

static struct tracer *bound_to(struct run *r)
{
	return r->tracer ? tracer_find(r->manager, r->tracer) : NULL;
}

static void give_loss(struct run *r, struct tracer *to, const struct container *c, uint64_t count)
{
	buf_clear(&r->line);
	buf_str(&r->line, "{\"ig\":{");
	note_lost(&r->line, r->name, c, count);
	buf_str(&r->line, "}}");
	tracer_line(to, buf_cstr(&r->line), r->line.len);
}

/* A line that would be too long is lost. */
static void give_line(struct run *r, unsigned int source, const struct row *row, bool late)
{
	struct tracer *to = bound_to(r);

	if (!to || source >= r->n_lines)
		return;
	buf_clear(&r->line);
	if (json_plan_row(r->lines[source].plan, row, late, &r->line))
		tracer_line(to, buf_cstr(&r->line), r->line.len);
	else
		give_loss(r, to, row->part[PART_CONTAINER], 1);
}

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct run *r = ctx;

	give_line(r, source, row, late);
	return r->reader.row(r->reader.ctx, source, row, late);
}

static void on_table_end(void *ctx, struct trace *t, unsigned int source)
{
	struct run *r = ctx;

	if (r->reader.table_end)
		r->reader.table_end(r->reader.ctx, source);
}

/* What the run's own reader had no room for, the tracer's lines have. */
static void on_lost(void *ctx, struct trace *t, struct container *c, struct loss loss)
{
	struct run *r = ctx;
	struct tracer *to = bound_to(r);
	struct run_watcher *w;

	if (to && loss.count > loss.own)
		give_loss(r, to, c, loss.count - loss.own);
	if (r->reader.lost)
		r->reader.lost(r->reader.ctx, c, loss.count);
	TAILQ_FOREACH(w, &r->watchers, link)
		w->lost(w->ctx, c, loss.count);
}

void run_watch(struct run *r, struct run_watcher *w)
{
	w->run = r;
	TAILQ_INSERT_TAIL(&r->watchers, w, link);
}

void run_unwatch(struct run_watcher *w)
{
	if (w->run)
		TAILQ_REMOVE(&w->run->watchers, w, link);
	w->run = NULL;
}

/* ---- life ------------------------------------------------------------------------ */

static void make_lines(struct run *r)
{
	_cleanup_(buf_done) struct buf head = {.max = 4096};
	const char *name = gadget_name(r->gadget);

	r->n_lines = gadget_n_sources(r->gadget);
	r->lines = xnew_n(struct run_line, r->n_lines);
	buf_str(&head, "\"gadget\":");
	json_quote(&head, name, strlen(name));
	buf_char(&head, ',');
	for (size_t i = 0; i < r->n_lines; i++) {
		struct schema *s = schema_ref(gadget_source(r->gadget, i)->schema);

		r->lines[i] = (struct run_line){
			s, json_plan_new(s, NULL, buf_cstr(&head), &r->manager->clock)};
	}
}

int run_new(struct manager *m, const struct run_spec *spec, const struct run_reader *reader,
	    struct run **ret, struct err *err)
{
	struct run *r = xnew(struct run);
	int code;

	r->manager = m;
	r->reader = *reader;
	run_spec_copy(&r->spec, spec);
	buf_init(&r->line, MAX_LINE_BYTES);
	TAILQ_INIT(&r->watchers);
	TAILQ_INSERT_TAIL(&m->runs, r, link);
	code = run_plan_make(&r->spec, &r->plan, err);
	if (!code && r->plan.tracer && !tracer_find(m, r->plan.tracer))
		code = err_set(err, -ENOENT, "no tracer '%s'", r->plan.tracer);
	if (code) {
		run_free(r);
		return code;
	}
	r->id = manager_random_id(16);
	r->gadget = take(r->plan.gadget);
	r->name = xstrdup(gadget_name(r->gadget));
	r->tracer = xstrdup(r->plan.tracer);
	if (r->tracer)
		make_lines(r);
	*ret = r;
	return 0;
}

static void end(void *ctx)
{
	struct run *r = ctx;

	r->reader.ended(r->reader.ctx);
}

/* Snapshots are taken once, when the trace is added: with the names of all that is there. */
static void on_note(void *ctx, struct trace *t, struct container *c, const char *text)
{
	struct run *r = ctx;

	manager_warn(r->manager, "%s: %s: %s", gadget_name(trace_gadget(t)),
		     c ? c->name : "the host", text);
}

static bool only_snapshots(struct gadget *g, bool *ret_any)
{
	size_t snapshots = 0;

	for (size_t i = 0; i < gadget_n_sources(g); i++)
		snapshots += gadget_source(g, i)->kind == SOURCE_SNAPSHOT;
	*ret_any = snapshots;
	return snapshots == gadget_n_sources(g);
}

/*
 * Of a tracer that a run is bound to, its selector counts as well: the run's own says less, or is
 * empty, and the tracer's containers are those that were asked for.
 */
static const struct selector *selector_of(struct run *r)
{
	struct tracer *t = bound_to(r);

	return t && selector_is_all(r->plan.selector) ? tracer_selector(t) : r->plan.selector;
}

static int load(struct run *r, struct err *err)
{
	struct trace_options o = {
		.selector = selector_of(r),
		.load = r->plan.load,
		.interval_ns = r->plan.interval_ns,
		.share = true,
		.named = true,
		.reader = {.ctx = r,
			   .row = on_row,
			   .table_end = on_table_end,
			   .lost = on_lost,
			   .note = on_note},
	};
	bool any_snapshot, only = only_snapshots(r->gadget, &any_snapshot);
	struct reactor *reactor = r->manager->reactor;
	int code = traces_add(r->manager->traces, take(r->gadget), &o, &r->trace, err);

	if (code)
		return code;
	if (only)
		timer_start(&r->timer, reactor, 0, end, r);
	else if (r->spec.timeout_ns)
		timer_start(&r->timer, reactor, r->spec.timeout_ns, end, r);
	return 0;
}

static void load_when_named(void *ctx)
{
	struct run *r = ctx;

	if (containers_pending(r->manager->containers) && r->looks++ < NAMES_LOOKS) {
		timer_start(&r->timer, r->manager->reactor, NAMES_INTERVAL_NS, load_when_named, r);
		return;
	}
	if (load(r, &r->failure))
		r->reader.ended(r->reader.ctx);
}

int run_start(struct run *r, struct err *err)
{
	bool any_snapshot;

	only_snapshots(r->gadget, &any_snapshot);
	if (!any_snapshot || !containers_pending(r->manager->containers))
		return load(r, err);
	load_when_named(r);
	return 0;
}

void run_finish(struct run *r)
{
	const struct ledger *ledger;
	struct run_watcher *w;

	if (r->finished)
		return;
	r->finished = true;
	timer_stop(&r->timer);
	if (r->trace)
		traces_finish(r->manager->traces, r->trace);
	if (!r->id)
		return;
	ledger = ledger_write(r->manager, r);
	while ((w = TAILQ_FIRST(&r->watchers))) {
		run_unwatch(w);
		w->finished(w->ctx, ledger);
	}
}

void run_end(struct run *r)
{
	run_finish(r);
	timer_start(&r->timer, r->manager->reactor, 0, end, r);
}

struct run *run_free(struct run *r)
{
	if (!r)
		return NULL;
	run_finish(r);
	TAILQ_REMOVE(&r->manager->runs, r, link);
	timer_stop(&r->timer);
	if (r->trace)
		traces_remove(r->manager->traces, r->trace);
	gadget_free(r->gadget);
	for (size_t i = 0; i < r->n_lines; i++) {
		json_plan_free(r->lines[i].plan);
		schema_unref(r->lines[i].schema);
	}
	free(r->lines);
	run_plan_done(&r->plan);
	run_spec_done(&r->spec);
	buf_done(&r->line);
	free(r->tracer);
	free(r->id);
	free(r->name);
	free(r);
	return NULL;
}

/* ---- what it is ------------------------------------------------------------------ */

const struct run_plan *run_plan(const struct run *r)
{
	return &r->plan;
}

const struct run_spec *run_spec(const struct run *r)
{
	return &r->spec;
}

const char *run_name(const struct run *r)
{
	return r->name;
}

size_t run_queued(const struct run *r)
{
	return r->reader.queued ? r->reader.queued(r->reader.ctx) : 0;
}

const char *run_tracer(const struct run *r)
{
	return r->tracer;
}

const char *run_id(const struct run *r)
{
	return r->id;
}

const struct err *run_failure(const struct run *r)
{
	return r->failure.code ? &r->failure : NULL;
}

struct gadget *run_gadget(struct run *r)
{
	return r->trace ? trace_gadget(r->trace) : r->gadget;
}

struct trace *run_trace(struct run *r)
{
	return r->trace;
}

void manager_each_run(struct manager *m, void (*fn)(void *ctx, struct run *r), void *ctx)
{
	struct run *r;

	TAILQ_FOREACH(r, &m->runs, link)
		fn(ctx, r);
}

void runs_end(struct manager *m)
{
	struct run *r;

	TAILQ_FOREACH(r, &m->runs, link)
		run_end(r);
}

struct run *manager_find_run(struct manager *m, const char *id)
{
	struct run *r;

	TAILQ_FOREACH(r, &m->runs, link)
		if (!strcmp(r->id, id))
			return r;
	return NULL;
}
