// SPDX-License-Identifier: Apache-2.0
/* The life of a trace collection and its tracers, and its loop. See traces.h. */
#include "traces/internal.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- life ------------------------------------------------------------------------ */

int traces_new(struct containers *cs, const struct traces_options *o, struct traces **ret,
	       struct err *err)
{
	struct traces *ts = xnew(struct traces);
	int r = reactor_new(&ts->reactor, err);

	if (r < 0) {
		free(ts);
		return r;
	}
	ts->containers = cs;
	ts->window_ns = o ? o->window_ns : 0;
	buf_init(&ts->made, 2 * MAX_RECORD_BYTES);
	buf_init(&ts->text, MAX_STACK_BYTES);
	buf_init(&ts->tail, MAX_RECORD_BYTES);
	ts->now = boot_now();
	ts->hold_room =
		(struct hold_room){.max = MAX_UNNAMED_BYTES, .max_each = MAX_UNNAMED_BYTES_EACH};
	if (ts->window_ns)
		ts->merge = merge_new(ts->window_ns, MAX_HELD_BYTES, read_release, ts);
	ts->subscription = containers_subscribe(cs, follow_event, ts);
	*ret = ts;
	return 0;
}

static void trace_free(struct trace *t)
{
	struct attachment *a = t->attachment;

	account_done(&t->account);
	gadget_free(t->own);
	free(t);
	if (a && !--a->n_refs)
		attachment_free(a);
}

struct traces *traces_free(struct traces *ts)
{
	if (!ts)
		return NULL;
	containers_unsubscribe(ts->containers, ts->subscription);
	while (ts->n_attachments)
		attachment_finish(ts->attachments[0]);
	for (size_t i = 0; i < ts->n_traces; i++)
		trace_free(ts->traces[i]);
	for (size_t i = 0; i < ts->n_endings; i++) {
		containers_forget(ts->containers, ts->endings[i].container);
		container_unref(ts->endings[i].container);
	}
	watch_remove(&ts->containers_watch);
	reactor_free(ts->reactor);
	merge_free(ts->merge);
	symbols_free(ts->symbols);
	kernel_symbols_free(ts->kernel);
	addresses_free(ts->addresses);
	buf_done(&ts->made);
	buf_done(&ts->text);
	buf_done(&ts->tail);
	free(ts->endings);
	free(ts->attachments);
	free(ts->traces);
	free(ts);
	return NULL;
}

/* ---- tracers --------------------------------------------------------------------- */

/* Into an attachment that runs, or one of its own. Takes g over. */
static int place(struct traces *ts, struct trace *t, struct gadget *g,
		 const struct trace_options *o, struct err *err)
{
	struct attachment *a = attachment_find(ts, g, o);
	int r;

	if (a) {
		t->own = g;
		return attachment_join(a, t, err);
	}
	r = attachment_new(ts, g, o, &a, err);
	r = r ?: attachment_join(a, t, err);
	if (r || !ts->started)
		return r;
	r = attachment_attach(a, err);
	if (r)
		attachment_finish(a);
	else
		pace_start(ts);
	return r;
}

int traces_add(struct traces *ts, struct gadget *g, const struct trace_options *o,
	       struct trace **ret, struct err *err)
{
	struct trace *t;
	int r;

	if (ts->n_traces == MAX_TRACERS) {
		gadget_free(g);
		return err_set(err, -ENOSPC, "more than %d tracers at a time", MAX_TRACERS);
	}
	t = xnew(struct trace);
	t->selector = o->selector;
	t->reader = o->reader;
	account_init(&t->account, MAX_CONTAINERS);
	r = place(ts, t, g, o, err);
	if (r < 0) {
		trace_free(t);
		return r;
	}
	*grow(&ts->traces, &ts->n_traces, &ts->room_traces) = t;
	*ret = t;
	return 0;
}

void traces_finish(struct traces *ts, struct trace *t)
{
	if (!t->finished)
		attachment_leave(t->attachment, t);
}

void traces_remove(struct traces *ts, struct trace *t)
{
	size_t at = 0;

	traces_finish(ts, t);
	while (ts->traces[at] != t)
		at++;
	memmove(&ts->traces[at], &ts->traces[at + 1],
		(--ts->n_traces - at) * sizeof(struct trace *));
	trace_free(t);
}

struct gadget *trace_gadget(struct trace *t)
{
	return t->own ?: t->attachment->gadget;
}

const struct gadget *trace_loaded(const struct trace *t)
{
	return t->attachment->gadget;
}

size_t trace_n_containers(struct trace *t)
{
	return t->n_wanted;
}

/* ---- running --------------------------------------------------------------------- */

/* traces_dispatch() dispatches the containers each time. */
static void on_containers(void *ctx, uint32_t events)
{
}

int traces_start(struct traces *ts, struct err *err)
{
	int fd = containers_fd(ts->containers), r = 0;

	if (fd >= 0)
		r = watch_add(&ts->containers_watch, ts->reactor, fd, EPOLLIN, on_containers, ts);
	if (r < 0)
		return err_set(err, r, "watching containers: %s", strerror(-r));
	for (size_t i = 0; r >= 0 && i < ts->n_attachments; i++)
		r = attachment_attach(ts->attachments[i], err);
	if (r < 0) {
		for (size_t i = 0; i < ts->n_attachments; i++)
			attachment_detach(ts->attachments[i]);
		return r;
	}
	ts->started = true;
	pace_start(ts);
	return 0;
}

struct naming traces_naming(const struct traces *ts)
{
	return ts->naming;
}

int traces_fd(const struct traces *ts)
{
	return reactor_fd(ts->reactor);
}

void traces_dispatch(struct traces *ts)
{
	bool active;

	if (!ts->started || ts->stopped)
		return;
	ts->now = boot_now();
	reactor_dispatch(ts->reactor);	     /* says what is due */
	containers_dispatch(ts->containers); /* names before records */
	active = read_rings(ts);
	for (size_t i = 0; i < ts->n_attachments; i++) {
		struct attachment *a = ts->attachments[i];

		if (a->tables_due)
			read_tables(a);
		a->tables_due = false;
		if (!ts->loss_due)
			continue;
		read_loss(a, false);
		follow_strays(a);
	}
	ts->loss_due = false;
	follow_endings(ts, false);
	pace(ts, active);
}

void traces_stop(struct traces *ts)
{
	if (!ts->started || ts->stopped)
		return;
	for (size_t i = 0; i < ts->n_attachments; i++)
		attachment_detach(ts->attachments[i]);
	ts->now = boot_now();
	containers_dispatch(ts->containers);
	read_rings(ts);
	containers_give_up(ts->containers);
	if (ts->merge)
		merge_release_all(ts->merge);
	for (size_t i = 0; i < ts->n_attachments; i++)
		attachment_last(ts->attachments[i]);
	follow_endings(ts, true);
	while (ts->n_attachments)
		attachment_finish(ts->attachments[0]);
	ts->stopped = true;
}

bool traces_finished(const struct traces *ts)
{
	if (!ts->started)
		return false;
	for (size_t i = 0; i < ts->n_attachments; i++)
		for (size_t j = 0; j < ts->attachments[i]->n_sources; j++)
			if (ts->attachments[i]->sources[j].kind != SOURCE_SNAPSHOT)
				return false;
	return true; /* traces_start() read them all */
}
