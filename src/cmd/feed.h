/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a command's rows come from: gadgets that run here, or at a daemon. The same rows come of
 * both in the same way, so that who shows them need not know.
 *
 * Life: feed_local_new() or feed_remote_new(); feed_start(); rows come from
 * the loop until feed_stop(), which gives the last ones; then the totals; feed_free().
 *
 * Sources are numbered over all gadgets, in their order. "tracer" is the number of a gadget.
 */
#pragma once

#include "cmd/gadget_flags.h"
#include "cmd/loop.h"
#include "containers/selector.h"
#include "gadget/gadget.h"
#include "traces/traces.h"

struct feed;

struct feed_reader {
	void *ctx;
	/* False: the reader has discarded it. */
	bool (*row)(void *ctx, unsigned int source, const struct row *row, bool late);
	void (*table_end)(void *ctx, unsigned int source);
	void (*lost)(void *ctx, unsigned int source, const struct container *c, uint64_t count);
	void (*dispatched)(void *ctx); /* something has come: time to flush */
};

struct feed_options {
	bool host;
	uint64_t buffer_bytes, interval_ns, window_ns;
	struct gadget_process_filter process;
	struct selector_options selector;
	const char *tracer; /* of the daemon, to be bound to; NULL: none */
	const char
		*instance; /* read this one, which runs on, by its one offer; NULL: gadgets run */
	uint64_t last;	   /* rows of its past; UINT64_MAX: all that it keeps */
};

/* Takes the gadgets' objects over. Errors as those of traces_add(). */
int feed_local_new(struct gadget_flags *gadgets, const struct feed_options *o,
		   const struct feed_reader *reader, struct feed **ret, struct err *err);
int feed_remote_new(struct gadget_flags *gadgets, const struct feed_options *o,
		    const struct feed_reader *reader, struct feed **ret, struct err *err);

int feed_start(struct feed *f, struct loop *loop, struct err *err);
void feed_stop(struct feed *f);
struct feed *feed_free(struct feed *f); /* NULL is fine; returns NULL */

/* All has been told that there is to tell; or why it ended before that. */
bool feed_finished(const struct feed *f);
int feed_failure(const struct feed *f, struct err *err); /* 0: none */

bool feed_names_pending(const struct feed *f);	/* names of containers are being looked for */
size_t feed_n_containers(const struct feed *f); /* that are wanted now; SIZE_MAX: not known */
/* What was not as it should be here, on stderr, when all is over. */
void feed_say_trouble(const struct feed *f);

/* ---- of each gadget -------------------------------------------------------------- */

size_t feed_n_tracers(const struct feed *f);
const char *feed_name(const struct feed *f, size_t tracer);
unsigned int feed_first_source(const struct feed *f, size_t tracer);
unsigned int feed_n_sources(const struct feed *f); /* of all */
const struct gadget_source *feed_source(const struct feed *f, unsigned int source);

/* A row that the reader had taken is discarded after all. */
void feed_take_back(struct feed *f, unsigned int source, const struct row *row);

struct totals feed_totals(const struct feed *f, size_t tracer);
uint64_t feed_unaccounted(const struct feed *f, size_t tracer);
/* name NULL: of no container, or not known of which. */
void feed_each_total(const struct feed *f, size_t tracer,
		     void (*fn)(void *ctx, const char *name, struct totals n), void *ctx);
