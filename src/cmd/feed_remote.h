/* SPDX-License-Identifier: Apache-2.0 */
/* What feed_remote.c (rows) and feed_remote_totals.c know of each other. */
#pragma once

#include "base/reactor.h"
#include "client/cluster.h"
#include "client/remote_run.h"
#include "cmd/feed_internal.h"
#include "traces/merge.h"

/* What the reader discarded here, of one container. */
struct discarded {
	char *name; /* "": of none */
	uint64_t rows;
};

/* A daemon. */
struct far_node {
	struct remote *remote;
	struct cluster_node *node; /* NULL: of no cluster */
	bool lost;		   /* and said to be */
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
	bool refused;			 /* its rows are not those of the others */
	bool told;			 /* its part of the table that is being gathered is whole */
	struct owner_names *host_owners; /* of its rows of no container */
	uint64_t taken, discarded;
	struct discarded *by_name;
	size_t n_names, room_names;
	bool ended;
	struct err failure; /* code 0: none */
};

struct far_feed {
	struct feed feed; /* first */
	struct reactor *reactor;
	struct far_node *nodes;
	size_t n_nodes;
	struct far_gadget *gadgets; /* one for each of the feed's tracers */
	struct far *fars;	    /* those of the first daemon, of the second … */
	size_t n_fars, n_streams;
	struct merge *merge; /* NULL: rows go on as they come */
	struct timer merge_timer, stop_timer;
	struct clock_base clock; /* ours */
	bool stopping, gave_up;
};

static inline struct far_feed *far_of(const struct feed *f)
{
	return (struct far_feed *)f;
}

static inline struct far *far_at(struct far_feed *f, size_t node, size_t tracer)
{
	return &f->fars[node * f->feed.n_tracers + tracer];
}

/* The reader has not taken a row of this container; NULL: of none. */
void far_discard(struct far *r, const struct container *c);

/* Of struct feed_kind. */
void far_take_back(struct feed *feed, size_t tracer, const struct container *c);
struct totals far_totals(const struct feed *feed, size_t tracer);
uint64_t far_unaccounted(const struct feed *feed, size_t tracer);
void far_each_total(const struct feed *feed, size_t tracer,
		    void (*fn)(void *ctx, const char *name, struct totals n), void *ctx);
