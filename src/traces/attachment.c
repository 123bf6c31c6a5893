// SPDX-License-Identifier: Apache-2.0
/*
 * A gadget that is loaded and attached, for one tracer or for several. Nothing is stopped when one
 * comes or goes: its shares begin with what was given to the others by then, and end with what was
 * read (tracks.c).
 */
#include "traces/internal.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "gadget/sampling.h"

#define TOP_INTERVAL_NS 1000000000ull

/* ---- which one ------------------------------------------------------------------- */

static uint64_t interval_of(const struct trace_options *o)
{
	return o->interval_ns ?: TOP_INTERVAL_NS;
}

static bool same_filter(const struct gadget_process_filter *p,
			const struct gadget_process_filter *q)
{
	return p->pid == q->pid && p->tid == q->tid && p->uid == q->uid && p->gid == q->gid &&
	       !strncmp(p->comm, q->comm, sizeof(p->comm));
}

/* A snapshot is taken when it is attached, and for those who are there. */
static bool has_snapshot(const struct gadget *g)
{
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		if (gadget_source(g, i)->kind == SOURCE_SNAPSHOT)
			return true;
	return false;
}

static bool suits(const struct attachment *a, const struct gadget *g, const struct trace_options *o)
{
	return a->shared && a->load.host == o->load.host &&
	       a->load.buffer_bytes == o->load.buffer_bytes && a->interval_ns == interval_of(o) &&
	       same_filter(&a->load.process, &o->load.process) && gadget_same(a->gadget, g);
}

struct attachment *attachment_find(struct traces *ts, const struct gadget *g,
				   const struct trace_options *o)
{
	for (size_t i = 0; o->share && i < ts->n_attachments; i++)
		if (suits(ts->attachments[i], g, o))
			return ts->attachments[i];
	return NULL;
}

/* ---- life ------------------------------------------------------------------------ */

static int offset_of(const struct schema *s, int field)
{
	return field < 0 ? -1 : (int)s->fields[field].offset;
}

static void add_sources(struct attachment *a)
{
	a->n_sources = gadget_n_sources(a->gadget);
	a->sources = xnew_n(struct trace_source, a->n_sources);
	for (size_t i = 0; i < a->n_sources; i++) {
		const struct gadget_source *from = gadget_source(a->gadget, i);

		a->sources[i] = (struct trace_source){
			.gadget = a->gadget,
			.kind = from->kind,
			.sampled = from->sampled,
			.time_offset = offset_of(from->schema, from->schema->time_field),
			.container_offset = offset_of(from->schema, from->schema->container_field),
		};
		a->sources[i].decoder = decoder_find(gadget_name(a->gadget), from->name,
						     from->schema->record_size);
		texts_find(&a->sources[i], from->schema);
	}
}

/* First the kernel adds what comes, then we what is there: nothing falls between. */
static int make_map(struct attachment *a, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	bool whole = gadget_samples(a->gadget) && !sampling_map_flags();
	int r;

	if (whole)
		o.map_flags = 0;
	a->wanted_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "g_wanted", sizeof(__u64),
				      sizeof(g_container), MAX_CGROUPS, &o);
	if (a->wanted_fd < 0)
		return err_set(err, a->wanted_fd, "making the map of wanted containers: %s",
			       strerror(-a->wanted_fd));
	if (whole) /* no map of the kind that the kernel side can fill: only we do */
		return 0;
	r = containers_attach_map(a->ts->containers, a->wanted_fd, err);
	a->mapped = !r;
	return r;
}

static int load(struct attachment *a, struct err *err)
{
	struct gadget_load_options o = a->load;
	int r = make_map(a, err);

	if (r < 0)
		return r;
	follow_known(a);
	o.wanted_fd = a->wanted_fd;
	o.containers_fd = o.host ? containers_all_fd(a->ts->containers) : -1;
	o.cgroup2_fd = containers_cgroup2_fd(a->ts->containers);
	r = gadget_load(a->gadget, &o, err);
	if (r)
		return r;
	gadget_meet_stacks(a->gadget, texts_meet, a);
	a->prober = prober_new(a);
	return 0;
}

static void count_streams(struct attachment *a, int sign)
{
	for (size_t i = 0; i < a->n_sources; i++)
		if (a->sources[i].kind == SOURCE_TRACER)
			a->ts->n_streams += (size_t)sign;
}

int attachment_new(struct traces *ts, struct gadget *g, const struct trace_options *o,
		   struct attachment **ret, struct err *err)
{
	struct attachment *a = xnew(struct attachment);
	int r;

	a->ts = ts;
	a->gadget = g;
	a->load = o->load;
	a->interval_ns = interval_of(o);
	a->named = o->named;
	a->shared = o->share && !has_snapshot(g);
	a->wanted_fd = -1;
	TAILQ_INIT(&a->stray.shares);
	add_sources(a);
	*grow(&ts->attachments, &ts->n_attachments, &ts->room_attachments) = a;
	count_streams(a, 1);
	r = load(a, err);
	if (r < 0)
		attachment_free(a);
	else
		*ret = a;
	return r;
}

/* It runs no more: nothing is read of it, and containers are no affair of it. */
static void stop(struct attachment *a)
{
	struct traces *ts = a->ts;
	size_t at = 0;

	while (at < ts->n_attachments && ts->attachments[at] != a)
		at++;
	if (at == ts->n_attachments)
		return;
	memmove(&ts->attachments[at], &ts->attachments[at + 1],
		(--ts->n_attachments - at) * sizeof(struct attachment *));
	count_streams(a, -1);
	if (ts->merge)
		merge_drop(ts->merge, a);
	watch_remove(&a->ring_watch);
	timer_stop(&a->table_timer);
	if (a->mapped)
		containers_detach_map(ts->containers, a->wanted_fd);
}

void attachment_free(struct attachment *a)
{
	stop(a);
	a->prober = prober_free(a->prober);
	for (uint32_t slot = 0; slot < a->n_slots; slot++)
		if (track_at(a, slot))
			track_finish(a, track_at(a, slot));
	gadget_free(a->gadget);
	closep(&a->wanted_fd);
	for (size_t i = 0; i < a->n_sources; i++)
		free(a->sources[i].texts);
	free(a->sources);
	free(a->tracers);
	free(a->by_slot);
	free(a);
}

/* ---- attaching ------------------------------------------------------------------- */

/* traces_dispatch() reads all rings each time. */
static void on_ring(void *ctx, uint32_t events)
{
}

int attachment_attach(struct attachment *a, struct err *err)
{
	bool tables = false;
	int r = gadget_attach(a->gadget, err);

	if (r < 0)
		return r;
	if (gadget_fd(a->gadget) >= 0)
		r = watch_add(&a->ring_watch, a->ts->reactor, gadget_fd(a->gadget), EPOLLIN,
			      on_ring, a);
	if (r < 0)
		return err_set(err, r, "watching rings: %s", strerror(-r));
	r = read_first(a, err);
	if (r >= 0)
		r = read_snapshots(a, err);
	for (unsigned int i = 0; i < a->n_sources; i++)
		tables |= a->sources[i].kind == SOURCE_TOP;
	if (r >= 0 && tables)
		pace_tables(a);
	if (r >= 0)
		prober_start(a->prober);
	return r;
}

void attachment_detach(struct attachment *a)
{
	prober_stop(a->prober);
	gadget_detach(a->gadget);
}

/* ---- tracers --------------------------------------------------------------------- */

/* A share in what has no usable key; it is the account's own. */
static void join_stray(struct attachment *a, struct trace *t)
{
	struct account_entry *e = &t->account.stray;

	e->trace = t;
	e->track = &a->stray;
	TAILQ_INSERT_TAIL(&a->stray.shares, e, of_track);
}

static void leave_stray(struct attachment *a, struct trace *t)
{
	TAILQ_REMOVE(&a->stray.shares, &t->account.stray, of_track);
	account_finish_stray(&t->account);
}

/* What was made until now, and not only what was read. */
static void read_all(struct traces *ts)
{
	ts->now = boot_now();
	containers_dispatch(ts->containers);
	read_rings(ts);
}

/*
 * Who shares tables comes and goes with an interval's end: so its rows are those of its own time,
 * none of an earlier one, and none are kept from it.
 */
static void end_interval(struct attachment *a)
{
	a->ts->now = boot_now();
	read_tables(a);
}

int attachment_join(struct attachment *a, struct trace *t, struct err *err)
{
	if (a->n_tracers == MAX_READERS)
		return err_set(err, -ENOSPC, "more than %d tracers share one %s", MAX_READERS,
			       gadget_name(a->gadget));
	t->attachment = a;
	a->n_refs++;
	if (a->n_tracers && a->ts->started)
		end_interval(a); /* what waits in rings is for who comes, too */
	read_loss(a, false); /* the others' */
	follow_join(t);
	join_stray(a, t);
	*grow(&a->tracers, &a->n_tracers, &a->room_tracers) = t;
	return 0;
}

void attachment_last(struct attachment *a)
{
	read_tables(a);
	read_loss(a, true);
}

static void forget_tracer(struct attachment *a, struct trace *t)
{
	size_t at = 0;

	while (a->tracers[at] != t)
		at++;
	memmove(&a->tracers[at], &a->tracers[at + 1],
		(--a->n_tracers - at) * sizeof(struct trace *));
	t->finished = true;
	t->n_wanted = 0;
}

/* The programs counted something in slots that nobody has heard of. */
static void finish_slots(struct attachment *a)
{
	for (uint32_t slot = 0; slot < MAX_SLOTS; slot++) {
		struct gadget_counters n = gadget_counters(a->gadget, slot);

		for (size_t i = 0; n.seen && i < a->n_tracers; i++)
			account_finish_slot(&a->tracers[i]->account, n, a->load.host);
	}
}

void attachment_finish(struct attachment *a)
{
	for (uint32_t slot = 0; slot < a->n_slots; slot++)
		if (track_at(a, slot))
			track_finish(a, track_at(a, slot)); /* which empties the slot's counters */
	finish_slots(a);
	while (a->n_tracers) {
		leave_stray(a, a->tracers[0]);
		forget_tracer(a, a->tracers[0]);
	}
	stop(a);
}

/* The last one of a running attachment takes all that there is, as at the end of a run. */
static void leave_last(struct attachment *a, struct trace *t)
{
	if (!a->ts->started) {
		attachment_finish(a);
		return;
	}
	attachment_detach(a);
	read_all(a->ts);
	read_waiting(t);
	attachment_last(a);
	attachment_finish(a);
}

void attachment_leave(struct attachment *a, struct trace *t)
{
	struct account_entry *e;

	if (a->n_tracers == 1) {
		leave_last(a, t);
		return;
	}
	if (a->ts->started) {
		read_all(a->ts);
		end_interval(a);
	}
	read_loss(a, false); /* misses of programs, too */
	read_waiting(t);
	while ((e = TAILQ_FIRST(&t->account.entries)))
		follow_leave(e, track_read(a, e->track));
	leave_stray(a, t);
	forget_tracer(a, t);
}
