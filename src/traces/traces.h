/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace collection: all tracers of this host. A tracer is a gadget with parameters, a selector
 * and a reader; the collection keeps each tracer's BPF map of containers current from the container
 * collection, reads records, finds their container, counts, and hands rows to the reader. Nothing
 * here prints.
 *
 * Life: traces_new(containers), traces_add() for each tracer, containers_start() (the detector
 * stands before the gadgets, so that a container's first exec is caught), traces_start(), then
 * traces_dispatch() whenever traces_fd() is readable; traces_stop() takes the programs off and
 * delivers the last records; traces_free(), then containers_free(). A tracer may also be added
 * while the collection runs.
 *
 * A container that ended stays known to its tracers until the programs that were running then are
 * surely done and their records were read (some 300 ms); then its counters are final and the
 * container collection may use its slot again. One trace collection should serve all tracers of a
 * container collection, since it decides when a container is forgotten.
 *
 * Tracers of the same gadget may share one set of programs (trace_options.share), each with its own
 * selector and reader. They come and go while the others run, and none of them notices: a record is
 * read once and given to each tracer that wants its container. Who comes is given what is read
 * from then on, which may have been made a moment before (25 ms, and the sort window).
 *
 * Names: records of a container whose names are still being looked for are held, in their order,
 * until they are known (containers.h); so the selector is asked once, about all that is known, and
 * nothing of a container is lost to a name that came late. What is held is bounded; what is not
 * kept for that is lost, and counted.
 *
 * Loss: for each tracer and container, seen = delivered + discarded + lost, exactly, once
 * traces_stop() or traces_finish() has returned, also of tracers that shared; before, `seen` may be
 * ahead by what is still in rings. What is lost of a container is lost for each tracer that wants
 * it. Records of a container that the selector does not want (it took a moment to say so) count
 * for nobody.
 *
 * Only traces_dispatch(), traces_add(), traces_finish(), traces_remove() and traces_stop() call
 * readers, and readers must not call them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/schema.h"
#include "containers/container.h"
#include "containers/selector.h"
#include "gadget/gadget.h"

struct containers;
struct traces;
struct trace;

struct totals {
	uint64_t seen, delivered, discarded, lost;
};

/* How many records were lost, and how many of those because the reader itself had no room for them.
 */
struct loss {
	uint64_t count, own;
};

/* What a reader made of a row. */
enum row_fate {
	ROW_DISCARDED, /* by its filter or limit */
	ROW_DELIVERED,
	ROW_LOST, /* it had no room for it; counted as lost, of which lost() tells */
};

struct trace_reader {
	void *ctx;
	/*
	 * One row, valid during the call. late: it is older than rows that were given before (sort
	 * window).
	 */
	enum row_fate (*row)(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			     bool late);
	/* All rows of a top table's interval or of a snapshot were given. May be NULL. */
	void (*table_end)(void *ctx, struct trace *t, unsigned int source);
	/*
	 * Records of container c (NULL: not known which, or the host) were lost since the last
	 * call. May be NULL.
	 */
	void (*lost)(void *ctx, struct trace *t, struct container *c, struct loss loss);
	/* A container came into the selection, or ended and gave its last record. May be NULL. */
	void (*container)(void *ctx, struct trace *t, bool in, struct container *c);
	/*
	 * Something that a person should know of how container c (NULL: the host) is followed: it
	 * has no library that the gadget looks into. At most once each. May be NULL.
	 */
	void (*note)(void *ctx, struct trace *t, struct container *c, const char *text);
};

struct trace_options {
	const struct selector *selector; /* borrowed for the tracer's life; NULL: all */
	struct gadget_load_options load; /* host, buffer_bytes, process; map fds are filled here */
	uint64_t interval_ns;		 /* top tables; 0: 1 s */
	/*
	 * May use the programs of a running tracer that has the same gadget, parameters, load
	 * options and interval, and lets others use its own.
	 * A gadget with a snapshot always has its own. -ENOSPC where MAX_READERS share.
	 */
	bool share;
	bool named; /* the caller has waited for names that a snapshot needs (else up to 2 s here)
		     */
	struct trace_reader reader;
};

struct traces_options {
	uint64_t window_ns; /* sort window of a merged stream; 0: rows as they are read */
};

int traces_new(struct containers *cs, const struct traces_options *o, struct traces **ret,
	       struct err *err);
struct traces *traces_free(struct traces *ts);

/*
 * Takes g over (also when it fails): it is loaded here with its map of wanted containers, and freed
 * with the tracer. For fields of containers g is opened with gadget_open_options.enrich set to
 * container_add_fields. -ENOSPC past MAX_TRACERS. A failure leaves nothing behind.
 */
int traces_add(struct traces *ts, struct gadget *g, const struct trace_options *o,
	       struct trace **ret, struct err *err);

/*
 * t ends, while others go on: everything that was made so far is given to it, and its totals are
 * final. The last tracer of its programs takes them off and reads what is left, as traces_stop()
 * does.
 */
void traces_finish(struct traces *ts, struct trace *t);
/* The same if it was not done yet; then t is freed, and its programs with their last tracer. */
void traces_remove(struct traces *ts, struct trace *t);

struct gadget *trace_gadget(struct trace *t);		  /* as it was given: sources, schemas */
const struct gadget *trace_loaded(const struct trace *t); /* whose programs run for it: costs */
struct totals trace_totals(struct trace *t);		  /* the whole tracer */
size_t trace_n_containers(struct trace *t);		  /* wanted now */

/*
 * A row that the reader has taken is discarded after all: a table's end cut it off. c as in its
 * row, NULL for the host.
 */
void trace_take_back(struct trace *t, const struct container *c);

/*
 * Totals of each container that the tracer ever had, those that ended first and oldest; at the end
 * the rest with c = NULL: the host, and what no container is known for. Past MAX_CONTAINERS ended
 * ones the oldest are given as one whose name says how many it stands for.
 */
void trace_each_total(struct trace *t, void (*fn)(void *ctx, struct container *c, struct totals n),
		      void *ctx);

/*
 * By how many records the kernel's counters and our readings disagreed about what has ended. 0 for
 * a sound gadget: nothing went missing that was not counted. What was counted but never came is in
 * the totals as lost; what came but was not counted, as seen.
 */
uint64_t trace_unaccounted(const struct trace *t);

/* How often records waited for their container's name. */
struct naming {
	uint64_t containers; /* that were named for a running gadget */
	uint64_t waited_for; /* of these, those of which records were held */
	uint64_t longest_ns; /* that a container's first record was held */
};
struct naming traces_naming(const struct traces *ts);

int traces_start(struct traces *ts, struct err *err); /* attaches all and reads snapshots */

/*
 * An epoll descriptor, readable when there is work: rings, the container detector, timers. While
 * records come they are read every 25 ms at least, and loss is told once a second. When there were
 * none for a while nothing ticks: the next record or loss makes the descriptor readable at once.
 * Tables have their interval.
 */
int traces_fd(const struct traces *ts);
void traces_dispatch(struct traces *ts);

/* Detaches, reads and delivers what is left, reports the last loss. */
void traces_stop(struct traces *ts);

/* True when every tracer has only snapshots and all were delivered. */
bool traces_finished(const struct traces *ts);
