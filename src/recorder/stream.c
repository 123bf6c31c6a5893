// SPDX-License-Identifier: Apache-2.0
#include "recorder/stream.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"

#define FLUSH_NS 1000000000ull

struct stream {
	struct reactor *reactor;
	struct record_set *set;
	unsigned int *numbers; /* of the sources in the files */
	size_t n, room;
	struct timer flush;
	bool failed;
	void (*on_failed)(void *ctx, const char *text);
	void *ctx;
};

static void check(struct stream *s, int r)
{
	struct err err;

	if (!r || s->failed)
		return;
	s->failed = true;
	err_set(&err, r, "records are written no more: %s", strerror(-r));
	s->on_failed(s->ctx, err.text);
}

static void on_flush(void *ctx)
{
	struct stream *s = ctx;

	check(s, record_set_flush(s->set));
}

/* The file for the next item; NULL: there is none any more. */
static struct record_writer *writer(struct stream *s)
{
	struct record_writer *w = s->failed ? NULL : record_set_writer(s->set);

	if (!s->flush.reactor && !s->failed)
		timer_start(&s->flush, s->reactor, FLUSH_NS, on_flush, s);
	return w;
}

int stream_new(struct reactor *r, const struct record_set_options *o,
	       void (*failed)(void *ctx, const char *text), struct stream **ret, struct err *err)
{
	struct stream *s = xnew(struct stream);
	int code;

	s->reactor = r;
	s->on_failed = failed;
	s->ctx = o->ctx;
	code = record_set_new(o, &s->set, err);
	if (code)
		free(s);
	else
		*ret = s;
	return code;
}

struct stream *stream_free(struct stream *s)
{
	struct err err = {0};

	if (!s)
		return NULL;
	timer_stop(&s->flush);
	check(s, record_set_close(s->set, &err));
	free(s->numbers);
	free(s);
	return NULL;
}

int stream_source(struct stream *s, const struct gadget_source *source, struct err *err)
{
	return record_set_source(s->set, source->schema, source->kind,
				 grow(&s->numbers, &s->n, &s->room), err);
}

void stream_row(struct stream *s, unsigned int source, const struct row *row)
{
	struct record_writer *w = writer(s);

	if (w)
		record_writer_row(w, s->numbers[source], row);
}

void stream_lost(struct stream *s, unsigned int source, const struct container *c, uint64_t count)
{
	struct record_writer *w = writer(s);

	if (w)
		record_writer_loss(w, s->numbers[source], c, count);
}

void stream_totals(struct stream *s, unsigned int source, struct record_totals n)
{
	struct record_writer *w = writer(s);

	if (w)
		record_writer_totals(w, s->numbers[source], n);
}
