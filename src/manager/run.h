/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gadget that runs because somebody asked for it: a spec with its tracer in the trace collection
 * and the one that its rows go to.
 *
 * Life: run_new() opens the gadget, so that its fields can be told; run_start() loads it; rows come
 * until run_finish(), after which the totals are final; run_free(), at any time. Not from within
 * the callbacks of run_reader.
 */
#pragma once

#include <sys/queue.h>

#include "manager/manager.h"
#include "manager/spec.h"

struct ledger;
struct run;

struct run_reader {
	void *ctx;
	/* As a trace_reader's; see traces/traces.h. */
	enum row_fate (*row)(void *ctx, unsigned int source, const struct row *row, bool late);
	void (*table_end)(void *ctx, unsigned int source);
	void (*lost)(void *ctx, struct container *c, uint64_t count);
	size_t (*queued)(void *ctx); /* bytes that its client has not taken yet; NULL: no client */
	/* It ended by itself: its time is over, or all that it had to tell was told. Called from
	 * the reactor; the run may be freed. */
	void (*ended)(void *ctx);
};

int run_new(struct manager *m, const struct run_spec *spec, const struct run_reader *reader,
	    struct run **ret, struct err *err);
/*
 * 0: it runs, or will as soon as the names that a snapshot waits for are known; errors as those of
 * traces_add(), and then the run may only be freed.
 */
int run_start(struct run *r, struct err *err);
void run_finish(struct run *r);
void run_end(struct run *r);	     /* finishes it now, and `ended` is called soon */
struct run *run_free(struct run *r); /* NULL is fine; returns NULL */

const struct run_plan *run_plan(const struct run *r);
const struct run_spec *run_spec(const struct run *r);
struct gadget *run_gadget(struct run *r);
struct trace *run_trace(struct run *r);	     /* NULL: it is not started yet */
const char *run_name(const struct run *r);   /* the gadget's */
const char *run_tracer(const struct run *r); /* the id of the one it is bound to, or NULL */
/* Why it ended before it began: its start had to wait, and failed then. NULL: it did not. */
const struct err *run_failure(const struct run *r);
size_t run_queued(const struct run *r);
const char *run_id(const struct run *r); /* lower-case hex, made at random */

/*
 * Who follows what becomes of a run's records, beside its reader. The struct is the watcher's and
 * zeroed at first; after `finished`, when the totals are final, it watches no more.
 */
struct run_watcher {
	struct run *run; /* NULL: it watches none */
	TAILQ_ENTRY(run_watcher) link;
	void (*lost)(void *ctx, struct container *c, uint64_t count);
	void (*finished)(void *ctx, const struct ledger *l); /* manager/ledger.h */
	void *ctx;
};
void run_watch(struct run *r, struct run_watcher *w);
void run_unwatch(struct run_watcher *w); /* one that watches none is fine */

/* All runs of a manager, oldest first. */
void manager_each_run(struct manager *m, void (*fn)(void *ctx, struct run *r), void *ctx);
struct run *manager_find_run(struct manager *m, const char *id);
