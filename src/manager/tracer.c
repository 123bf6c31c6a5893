// SPDX-License-Identifier: Apache-2.0
#include "manager/tracer.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "manager/internal.h"
#include "manager/pins.h"
#include "manager/store.h"
#include "traces/set.h"

struct line {
	TAILQ_ENTRY(line) link;
	size_t len;
	char text[];
};

struct tracer_subscription {
	TAILQ_ENTRY(tracer_subscription) link;
	struct tracer *tracer;
	struct tracer_reader reader;
};

struct tracer {
	TAILQ_ENTRY(tracer) link;
	struct manager *manager;
	char *id;
	struct selector *selector;
	char *selector_text; /* JSON */
	struct set *set;
	TAILQ_HEAD(, line) lines;
	size_t n_lines, line_bytes;
	TAILQ_HEAD(, tracer_subscription) readers;
	size_t n_readers;
};

/* ---- life ------------------------------------------------------------------------ */

static int check_id(const char *id, struct err *err)
{
	return manager_is_name(id)
		       ? 0
		       : err_set(err, -EINVAL,
				 "a tracer's id is at most %d letters, digits and -_. and does not "
				 "begin with a dot",
				 MAX_NAME_BYTES);
}

static int pin(struct tracer *t, struct err *err)
{
	const char *dir = pins_dir(t->manager->pins);
	_cleanup_(freep) char *cgroups = xasprintf("%s/cgroupidset-%s", dir, t->id);
	_cleanup_(freep) char *mntns = xasprintf("%s/mntnsset-%s", dir, t->id);

	return set_pin(t->set, cgroups, mntns, err);
}

static void tracer_free(struct tracer *t)
{
	struct tracer_subscription *s;
	struct line *l;

	while ((s = TAILQ_FIRST(&t->readers))) {
		struct tracer_reader reader = s->reader;

		tracer_unsubscribe(s);
		reader.removed(reader.ctx);
	}
	while ((l = TAILQ_FIRST(&t->lines))) {
		TAILQ_REMOVE(&t->lines, l, link);
		free(l);
	}
	TAILQ_REMOVE(&t->manager->tracers, t, link);
	t->manager->n_tracers--;
	set_free(t->set);
	selector_free(t->selector);
	free(t->selector_text);
	free(t->id);
	free(t);
}

static struct tracer *tracer_new(struct manager *m, const char *id)
{
	struct tracer *t = xnew(struct tracer);

	t->manager = m;
	t->id = id && *id ? xstrdup(id) : manager_random_id(8);
	TAILQ_INIT(&t->lines);
	TAILQ_INIT(&t->readers);
	TAILQ_INSERT_TAIL(&m->tracers, t, link);
	m->n_tracers++;
	return t;
}

int tracer_add(struct manager *m, const struct tracer_spec *spec, struct tracer **ret,
	       struct err *err)
{
	bool named = spec->id && *spec->id;
	struct tracer *t;
	int r = named ? check_id(spec->id, err) : 0;

	if (r)
		return r;
	if (named && tracer_find(m, spec->id))
		return err_set(err, -EEXIST, "tracer '%s' is there already", spec->id);
	if (m->n_tracers == MAX_TRACERS)
		return err_set(err, -ENOSPC, "more than %d tracers", MAX_TRACERS);
	t = tracer_new(m, spec->id);
	t->selector_text = store_selector(&spec->selector);
	r = t->selector_text ? selector_new(&spec->selector, &t->selector, err)
			     : err_set(err, -EINVAL, "a text of the selector is no UTF-8");
	r = r ?: set_new(m->containers, t->selector, &t->set, err);
	if (!r && m->pins)
		r = pin(t, err);
	if (!r && m->store)
		r = store_tracer(m->store, t->id, t->selector_text, err);
	if (r) {
		tracer_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

/* The runs that are bound to it end as well: their selector goes. */
static void end_if_bound(void *ctx, struct run *r)
{
	if (str_equal(run_tracer(r), ctx))
		run_end(r);
}

int tracer_remove(struct manager *m, const char *id, struct err *err)
{
	struct tracer *t = tracer_find(m, id);

	if (!*id)
		return err_set(err, -EINVAL, "no tracer is named");
	if (!t)
		return err_set(err, -ENOENT, "no tracer '%s'", id);
	manager_each_run(m, end_if_bound, t->id);
	if (m->store)
		store_forget_tracer(m->store, t->id);
	tracer_free(t);
	return 0;
}

void tracers_stop(struct manager *m)
{
	while (!TAILQ_EMPTY(&m->tracers))
		tracer_free(TAILQ_FIRST(&m->tracers));
}

/* ---- what it is ------------------------------------------------------------------ */

struct tracer *tracer_find(struct manager *m, const char *id)
{
	struct tracer *t;

	TAILQ_FOREACH(t, &m->tracers, link)
		if (!strcmp(t->id, id))
			return t;
	return NULL;
}

void manager_each_tracer(struct manager *m, void (*fn)(void *ctx, struct tracer *t), void *ctx)
{
	struct tracer *t;

	TAILQ_FOREACH(t, &m->tracers, link)
		fn(ctx, t);
}

const char *tracer_id(const struct tracer *t)
{
	return t->id;
}

const struct selector *tracer_selector(const struct tracer *t)
{
	return t->selector;
}

const struct set *tracer_set(const struct tracer *t)
{
	return t->set;
}

const char *tracer_selector_text(const struct tracer *t)
{
	return t->selector_text;
}

size_t tracer_n_readers(const struct tracer *t)
{
	return t->n_readers;
}

void tracer_each_reader(const struct tracer *t, void (*fn)(void *ctx, size_t queued), void *ctx)
{
	const struct tracer_subscription *s;

	TAILQ_FOREACH(s, &t->readers, link)
		fn(ctx, s->reader.queued(s->reader.ctx));
}

size_t tracer_n_lines(const struct tracer *t)
{
	return t->n_lines;
}

/* ---- lines ----------------------------------------------------------------------- */

static void drop_line(struct tracer *t)
{
	struct line *l = TAILQ_FIRST(&t->lines);

	TAILQ_REMOVE(&t->lines, l, link);
	t->n_lines--;
	t->line_bytes -= l->len;
	free(l);
}

void tracer_line(struct tracer *t, const char *text, size_t len)
{
	struct tracer_subscription *s, *next;
	struct line *l = xcalloc(1, sizeof(*l) + len + 1);

	l->len = len;
	memcpy(l->text, text, len);
	TAILQ_INSERT_TAIL(&t->lines, l, link);
	t->n_lines++;
	t->line_bytes += len;
	while (t->n_lines > MAX_HISTORY_RECORDS || t->line_bytes > MAX_HISTORY_BYTES)
		drop_line(t);
	for (s = TAILQ_FIRST(&t->readers); s; s = next) {
		next = TAILQ_NEXT(s, link);
		s->reader.line(s->reader.ctx, text, len);
	}
}

int tracer_subscribe(struct tracer *t, const struct tracer_reader *reader,
		     struct tracer_subscription **ret, struct err *err)
{
	struct tracer_subscription *s;
	const struct line *l;

	if (t->n_readers == MAX_READERS)
		return err_set(err, -ENOSPC, "tracer '%s' has %d readers already", t->id,
			       MAX_READERS);
	s = xnew(struct tracer_subscription);
	s->tracer = t;
	s->reader = *reader;
	TAILQ_FOREACH(l, &t->lines, link)
		reader->line(reader->ctx, l->text, l->len);
	TAILQ_INSERT_TAIL(&t->readers, s, link);
	t->n_readers++;
	*ret = s;
	return 0;
}

void tracer_unsubscribe(struct tracer_subscription *s)
{
	if (!s)
		return;
	TAILQ_REMOVE(&s->tracer->readers, s, link);
	s->tracer->n_readers--;
	free(s);
}
