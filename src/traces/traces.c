// SPDX-License-Identifier: Apache-2.0
/* The life of a trace collection and its tracers, its loop, and its totals. See traces.h. */
#include "traces/internal.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"

uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int watch(struct traces *ts, int fd, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(ts->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(err, -errno, "watching a descriptor: %s", strerror(errno));
	return 0;
}

static int set_timer(int fd, uint64_t interval)
{
	struct timespec t = {.tv_sec = (time_t)(interval / 1000000000),
			     .tv_nsec = (long)(interval % 1000000000)};
	struct itimerspec spec = {t, t};

	return timerfd_settime(fd, 0, &spec, NULL);
}

/* A timer that makes the collection's descriptor readable every `interval` ns. */
static int add_timer(struct traces *ts, uint64_t interval, int *ret, struct err *err)
{
	_cleanup_(closep) int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r;

	if (fd < 0 || set_timer(fd, interval) < 0)
		return err_set(err, -errno, "making a timer: %s", strerror(errno));
	r = watch(ts, fd, err);
	if (r < 0)
		return r;
	*ret = take_fd(&fd);
	return 0;
}

static bool timer_passed(int fd)
{
	uint64_t times;

	return fd >= 0 && read(fd, &times, sizeof(times)) == sizeof(times);
}

int traces_new(struct containers *cs, const struct traces_options *o, struct traces **ret,
	       struct err *err)
{
	struct traces *ts = xnew(struct traces);

	ts->containers = cs;
	ts->window_ns = o ? o->window_ns : 0;
	ts->read_timer = ts->loss_timer = -1;
	buf_init(&ts->stacked, 2 * MAX_RECORD_BYTES);
	buf_init(&ts->stack, MAX_STACK_BYTES);
	ts->now = boot_now();
	ts->hold_room =
		(struct hold_room){.max = MAX_UNNAMED_BYTES, .max_each = MAX_UNNAMED_BYTES_EACH};
	ts->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ts->epoll_fd < 0) {
		int r = err_set(err, -errno, "making an epoll descriptor: %s", strerror(errno));

		free(ts);
		return r;
	}
	if (ts->window_ns)
		ts->merge = merge_new(ts->window_ns, MAX_HELD_BYTES, read_release, ts);
	ts->subscription = containers_subscribe(cs, follow_event, ts);
	*ret = ts;
	return 0;
}

static struct trace *trace_free(struct trace *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_sources; i++) {
		if (t->sources[i].timer_fd >= 0)
			close(t->sources[i].timer_fd);
		free(t->sources[i].stacks);
	}
	if (t->mapped)
		containers_detach_map(t->ts->containers, t->wanted_fd);
	gadget_free(t->gadget);
	if (t->wanted_fd >= 0)
		close(t->wanted_fd);
	account_done(&t->account);
	free(t->sources);
	free(t);
	return NULL;
}

struct traces *traces_free(struct traces *ts)
{
	if (!ts)
		return NULL;
	containers_unsubscribe(ts->containers, ts->subscription);
	ts->merge = merge_free(ts->merge);
	for (size_t i = 0; i < ts->n_traces; i++)
		trace_free(ts->traces[i]);
	for (size_t i = 0; i < ts->n_endings; i++) {
		containers_forget(ts->containers, ts->endings[i].container);
		container_unref(ts->endings[i].container);
	}
	if (ts->read_timer >= 0)
		close(ts->read_timer);
	if (ts->loss_timer >= 0)
		close(ts->loss_timer);
	close(ts->epoll_fd);
	symbols_free(ts->symbols);
	buf_done(&ts->stacked);
	buf_done(&ts->stack);
	free(ts->endings);
	free(ts->traces);
	free(ts);
	return NULL;
}

static int offset_of(const struct schema *s, int field)
{
	return field < 0 ? -1 : (int)s->fields[field].offset;
}

static struct trace *trace_new(struct traces *ts, struct gadget *g, const struct trace_options *o)
{
	struct trace *t = xnew(struct trace);

	t->ts = ts;
	t->gadget = g;
	t->selector = o->selector;
	t->reader = o->reader;
	t->interval_ns = o->interval_ns ?: TOP_INTERVAL_NS;
	t->host = o->load.host;
	t->wanted_fd = -1;
	account_init(&t->account, MAX_CONTAINERS);
	t->n_sources = gadget_n_sources(g);
	t->sources = xnew_n(struct trace_source, t->n_sources);
	for (size_t i = 0; i < t->n_sources; i++) {
		const struct gadget_source *from = gadget_source(g, i);

		t->sources[i] = (struct trace_source){
			.kind = from->kind,
			.time_offset = offset_of(from->schema, from->schema->time_field),
			.container_offset = offset_of(from->schema, from->schema->container_field),
			.timer_fd = -1,
		};
		stacks_find(&t->sources[i], from->schema);
	}
	return t;
}

static int trace_load(struct trace *t, const struct trace_options *o, struct err *err)
{
	struct gadget_load_options load = o->load;
	int r = follow_start(t, err);

	if (r < 0)
		return r;
	load.wanted_fd = t->wanted_fd;
	load.containers_fd = t->host ? containers_all_fd(t->ts->containers) : -1;
	return gadget_load(t->gadget, &load, err);
}

/* A snapshot is taken once: it waits for the names that are still looked for. */
static void wait_for_names(struct traces *ts)
{
	struct pollfd p = {.fd = containers_fd(ts->containers), .events = POLLIN};

	while (containers_pending(ts->containers)) {
		poll(&p, 1, 1000);
		containers_dispatch(ts->containers);
	}
}

static int trace_attach(struct trace *t, struct err *err)
{
	struct traces *ts = t->ts;
	int r = gadget_attach(t->gadget, err);

	if (r < 0)
		return r;
	if (gadget_fd(t->gadget) >= 0)
		r = watch(ts, gadget_fd(t->gadget), err);
	for (unsigned int i = 0; r >= 0 && i < t->n_sources; i++) {
		struct trace_source *s = &t->sources[i];

		if (s->kind == SOURCE_TOP)
			r = add_timer(ts, t->interval_ns, &s->timer_fd, err);
		if (s->kind == SOURCE_SNAPSHOT) {
			wait_for_names(ts);
			r = read_snapshot(t, i, err);
		}
	}
	return r;
}

int traces_add(struct traces *ts, struct gadget *g, const struct trace_options *o,
	       struct trace **ret, struct err *err)
{
	struct trace *t = trace_new(ts, g, o);
	int r;

	r = ts->n_traces == MAX_TRACERS
		    ? err_set(err, -ENOSPC, "more than %d tracers at a time", MAX_TRACERS)
		    : trace_load(t, o, err);
	if (r >= 0 && ts->started)
		r = trace_attach(t, err);
	if (r < 0) {
		trace_free(t);
		return r;
	}
	*grow(&ts->traces, &ts->n_traces, &ts->room_traces) = t;
	for (size_t i = 0; i < t->n_sources; i++)
		ts->n_streams += t->sources[i].kind == SOURCE_TRACER;
	*ret = t;
	return 0;
}

int traces_start(struct traces *ts, struct err *err)
{
	int r;

	if (containers_fd(ts->containers) >= 0) {
		r = watch(ts, containers_fd(ts->containers), err);
		if (r < 0)
			return r;
	}
	r = add_timer(ts, EAGER_INTERVAL_NS, &ts->read_timer, err);
	if (r >= 0)
		r = add_timer(ts, LOSS_INTERVAL_NS, &ts->loss_timer, err);
	for (size_t i = 0; r >= 0 && i < ts->n_traces; i++)
		r = trace_attach(ts->traces[i], err);
	if (r < 0) {
		for (size_t i = 0; i < ts->n_traces; i++)
			gadget_detach(ts->traces[i]->gadget);
		return r;
	}
	ts->started = true;
	ts->eager_until = boot_now() + EAGER_TIME_NS;
	return 0;
}

struct naming traces_naming(const struct traces *ts)
{
	return ts->naming;
}

int traces_fd(const struct traces *ts)
{
	return ts->epoll_fd;
}

void traces_dispatch(struct traces *ts)
{
	if (!ts->started || ts->stopped)
		return;
	ts->now = boot_now();
	timer_passed(ts->read_timer);
	if (ts->eager_until && ts->now >= ts->eager_until) {
		set_timer(ts->read_timer, READ_INTERVAL_NS);
		ts->eager_until = 0;
	}
	containers_dispatch(ts->containers); /* names before records */
	read_rings(ts);
	for (size_t i = 0; i < ts->n_traces; i++) {
		struct trace *t = ts->traces[i];

		for (unsigned int j = 0; j < t->n_sources; j++)
			if (timer_passed(t->sources[j].timer_fd))
				read_table(t, j);
	}
	if (timer_passed(ts->loss_timer)) {
		for (size_t i = 0; i < ts->n_traces; i++) {
			read_loss(ts->traces[i], false);
			follow_strays(ts->traces[i]);
		}
	}
	follow_endings(ts, false);
}

/* After the programs left: the last table of each top source, the last loss, the final numbers. */
static void trace_stop(struct trace *t)
{
	for (unsigned int i = 0; i < t->n_sources; i++)
		if (t->sources[i].kind == SOURCE_TOP)
			read_table(t, i);
	read_loss(t, true);
}

static void trace_finish(struct trace *t)
{
	for (uint32_t slot = 0; slot < MAX_SLOTS; slot++) {
		struct gadget_counters n = gadget_counters(t->gadget, slot);

		if (account_at(&t->account, slot))
			account_finish(&t->account, slot, n);
		else if (n.seen)
			account_finish_slot(&t->account, n, t->host);
	}
	account_finish_stray(&t->account);
	t->n_wanted = 0;
}

void traces_stop(struct traces *ts)
{
	if (!ts->started || ts->stopped)
		return;
	for (size_t i = 0; i < ts->n_traces; i++)
		gadget_detach(ts->traces[i]->gadget);
	ts->now = boot_now();
	containers_dispatch(ts->containers);
	read_rings(ts);
	containers_give_up(ts->containers);
	if (ts->merge)
		merge_release_all(ts->merge);
	for (size_t i = 0; i < ts->n_traces; i++)
		trace_stop(ts->traces[i]);
	follow_endings(ts, true);
	for (size_t i = 0; i < ts->n_traces; i++)
		trace_finish(ts->traces[i]);
	ts->stopped = true;
}

bool traces_finished(const struct traces *ts)
{
	if (!ts->started)
		return false;
	for (size_t i = 0; i < ts->n_traces; i++)
		for (size_t j = 0; j < ts->traces[i]->n_sources; j++)
			if (ts->traces[i]->sources[j].kind != SOURCE_SNAPSHOT)
				return false;
	return true; /* traces_start() read them all */
}

struct gadget *trace_gadget(struct trace *t)
{
	return t->gadget;
}

size_t trace_n_containers(struct trace *t)
{
	return t->n_wanted;
}

/* Entries without a container are told apart by nobody: any of them will do. */
static struct account_entry *entry_that_delivered(const struct account *a,
						  const struct container *c)
{
	if (c)
		return account_find(a, c->key);
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		struct account_entry *e = account_at(a, slot);

		if (e && !e->container && e->delivered)
			return e;
	}
	return NULL;
}

void trace_take_back(struct trace *t, const struct container *c)
{
	struct account_entry *e = entry_that_delivered(&t->account, c);

	if (!e || !e->delivered)
		return;
	e->delivered--;
	e->discarded++;
}

uint64_t trace_unaccounted(const struct trace *t)
{
	return t->account.unaccounted;
}

struct totals trace_totals(struct trace *t)
{
	struct totals n = t->account.finished;

	for (uint32_t slot = 0; slot < t->account.n_slots; slot++) {
		struct account_entry *e = account_at(&t->account, slot);

		if (e)
			totals_add(&n, account_totals(e, gadget_counters(t->gadget, slot)));
	}
	return n;
}

/* Where names had to be let go, one container stands for all of them. */
static void give_others(const struct account *a,
			void (*fn)(void *, struct container *, struct totals), void *ctx)
{
	_cleanup_(container_unrefp) struct container *c = NULL;

	if (!a->n_others)
		return;
	c = container_new();
	c->name = xasprintf("(%llu earlier containers)", (unsigned long long)a->n_others);
	c->ended = true;
	fn(ctx, c, a->others);
}

void trace_each_total(struct trace *t, void (*fn)(void *ctx, struct container *c, struct totals n),
		      void *ctx)
{
	const struct account *a = &t->account;
	struct totals nameless = a->nameless;

	give_others(a, fn, ctx);
	for (size_t i = 0; i < a->n_ended; i++) {
		const struct account_end *e = &a->ended[(a->first_ended + i) % a->room_ended];

		fn(ctx, e->container, e->n);
	}
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		struct account_entry *e = account_at(a, slot);
		struct totals n;

		if (!e)
			continue;
		n = account_totals(e, gadget_counters(t->gadget, slot));
		if (e->container)
			fn(ctx, e->container, n);
		else
			totals_add(&nameless, n);
	}
	if (nameless.seen)
		fn(ctx, NULL, nameless);
}
