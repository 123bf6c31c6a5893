/* SPDX-License-Identifier: Apache-2.0 */
/* What feed_remote.c (rows) and feed_remote_totals.c know of each other. */
#pragma once

#include "base/reactor.h"
#include "client/cluster.h"
#include "client/cluster_names.h"
#include "client/discards.h"
#include "client/remote_run.h"
#include "cmd/feed_internal.h"
#include "traces/merge.h"

/* A daemon. */
struct far_node {
	struct remote *remote;
	struct cluster_node *node; /* NULL: of no cluster */
	bool lost;		   /* and said to be */
	struct far *fars;	   /* one for each of the feed's tracers */
};

/* What a daemon is asked for, of one gadget. */
struct far_gadget {
	char *image;
	struct labels params;
};

/* One gadget at one daemon. */
struct far {
	struct far_feed *feed;
	struct far_node *node;
	size_t tracer;
	unsigned int first_source;
	struct remote_run *run; /* NULL: not begun */
	struct clock_base clock;
	bool refused;  /* its rows are not those of the others */
	uint64_t told; /* bit for each source: its part of the table that is being gathered is whole
			*/
	struct totals earlier;		 /* of runs before its node was lost */
	struct owner_names *host_owners; /* of its rows of no container */
	uint64_t taken;
	struct discards discarded; /* by the reader */
	bool ended;
	struct err failure; /* code 0: none */
};

struct far_feed {
	struct feed feed; /* first */
	struct reactor *reactor;
	struct cluster *cluster;     /* NULL: it is one daemon */
	struct cluster_names *names; /* NULL: of no addresses */
	struct far_node **nodes;
	size_t n_nodes, room_nodes;
	struct far_gadget *gadgets; /* one for each of the feed's tracers */
	size_t n_streams;
	struct merge *merge; /* NULL: rows go on as they come */
	struct timer merge_timer, stop_timer;
	struct clock_base clock; /* ours */
	bool follows, stopping, gave_up;
};

static inline struct far_feed *far_of(const struct feed *f)
{
	return (struct far_feed *)f;
}

static inline struct far *far_at(struct far_feed *f, size_t node, size_t tracer)
{
	return &f->nodes[node]->fars[tracer];
}

static inline size_t far_count(const struct far_feed *f)
{
	return f->n_nodes * f->feed.n_tracers;
}

/* All of them, one after the other. */
static inline struct far *far_nth(const struct far_feed *f, size_t i)
{
	return &f->nodes[i / f->feed.n_tracers]->fars[i % f->feed.n_tracers];
}

/* The reader has not taken a row of this container; NULL: of none. */
void far_discard(struct far *r, const struct container *c);

/* Its run has ended with its node: what came of it is kept, and another may begin. */
void far_begin_anew(struct far *r);

/*
 * Names of a cluster's addresses, before its gadgets are begun, where these have some. Waits for
 * them, though not for long, so that the first records have them.
 */
void far_names_open(struct far_feed *f);

/* Of struct feed_kind. */
void far_take_back(struct feed *feed, size_t tracer, const struct container *c, const char *node);
struct totals far_totals(const struct feed *feed, size_t tracer);
uint64_t far_unaccounted(const struct feed *feed, size_t tracer);
void far_each_total(const struct feed *feed, size_t tracer,
		    void (*fn)(void *ctx, const char *name, struct totals n), void *ctx);
