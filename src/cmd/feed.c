// SPDX-License-Identifier: Apache-2.0
#include "cmd/feed_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "containers/container.h"

/* ---- making one ------------------------------------------------------------------ */

void feed_init(struct feed *f, const struct feed_kind *kind, const struct feed_reader *reader)
{
	f->kind = kind;
	f->reader = *reader;
}

void feed_add_tracer(struct feed *f, const char *name)
{
	*grow(&f->tracers, &f->n_tracers, &f->room_tracers) =
		(struct feed_tracer){xstrdup(name), (unsigned int)f->n_sources};
}

void feed_add_source(struct feed *f, const struct gadget_source *s)
{
	*grow(&f->sources, &f->n_sources, &f->room_sources) = (struct gadget_source){
		.kind = s->kind,
		.name = xstrdup(s->name),
		.sort = xstrdup(s->sort),
		.schema = schema_ref(s->schema),
	};
}

size_t feed_tracer_of(const struct feed *f, unsigned int source)
{
	size_t i = f->n_tracers;

	while (i > 1 && f->tracers[i - 1].first_source > source)
		i--;
	return i - 1;
}

/* ---- life ------------------------------------------------------------------------ */

int feed_start(struct feed *f, struct loop *loop, struct err *err)
{
	return f->kind->start(f, loop, err);
}

void feed_stop(struct feed *f)
{
	f->kind->stop(f);
}

struct feed *feed_free(struct feed *f)
{
	if (!f)
		return NULL;
	f->kind->free(f);
	for (size_t i = 0; i < f->n_tracers; i++)
		free(f->tracers[i].name);
	for (size_t i = 0; i < f->n_sources; i++) {
		schema_unref(f->sources[i].schema);
		free((char *)f->sources[i].name);
		free((char *)f->sources[i].sort);
	}
	free(f->tracers);
	free(f->sources);
	free(f);
	return NULL;
}

bool feed_finished(const struct feed *f)
{
	return f->kind->finished(f);
}

int feed_failure(const struct feed *f, struct err *err)
{
	return f->kind->failure ? f->kind->failure(f, err) : 0;
}

bool feed_names_pending(const struct feed *f)
{
	return f->kind->names_pending && f->kind->names_pending(f);
}

size_t feed_n_containers(const struct feed *f)
{
	return f->kind->n_containers ? f->kind->n_containers(f) : SIZE_MAX;
}

void feed_say_trouble(const struct feed *f)
{
	if (f->kind->say_trouble)
		f->kind->say_trouble(f);
}

/* ---- of each gadget -------------------------------------------------------------- */

size_t feed_n_tracers(const struct feed *f)
{
	return f->n_tracers;
}

const char *feed_name(const struct feed *f, size_t tracer)
{
	return f->tracers[tracer].name;
}

unsigned int feed_first_source(const struct feed *f, size_t tracer)
{
	return f->tracers[tracer].first_source;
}

unsigned int feed_n_sources(const struct feed *f)
{
	return (unsigned int)f->n_sources;
}

const struct gadget_source *feed_source(const struct feed *f, unsigned int source)
{
	return &f->sources[source];
}

void feed_take_back(struct feed *f, unsigned int source, const struct row *row)
{
	const struct container *c = row->part[PART_CONTAINER];
	bool whole = row->size[PART_CONTAINER] == sizeof(*c); /* else a node alone */

	f->kind->take_back(f, feed_tracer_of(f, source), whole ? c : NULL, c ? c->k8s_node : NULL);
}

struct totals feed_totals(const struct feed *f, size_t tracer)
{
	return f->kind->totals(f, tracer);
}

uint64_t feed_unaccounted(const struct feed *f, size_t tracer)
{
	return f->kind->unaccounted(f, tracer);
}

void feed_each_total(const struct feed *f, size_t tracer,
		     void (*fn)(void *ctx, const char *name, struct totals n), void *ctx)
{
	f->kind->each_total(f, tracer, fn, ctx);
}
