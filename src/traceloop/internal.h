/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of traceloop/ share. traceloop.c: life, and the room for rings; follow.c:
 * containers that come and go; tracelets.c: rings one by one; tail.c: what is new in one.
 */
#pragma once

#include <sys/queue.h>

#include "base/reactor.h"
#include "columns/format.h"
#include "containers/containers.h"
#include "traceloop/dump.h"
#include "traceloop/kernel.h"
#include "traceloop/traceloop.h"

struct tracelet {
	TAILQ_ENTRY(tracelet) link;
	uint64_t id, key;
	char trace_id[17];
	uint32_t ring;		  /* 0: none yet */
	char *name, *cgroup_path; /* of a cgroup that was added; else NULL */
	uint64_t cgroup_id;
	struct container *container; /* a reference */
	unsigned int index;
	uint64_t created, ended;	  /* boot clock; 0: not ended */
	bool is_shown;			  /* false: its names are still being looked for */
	struct followed {		  /* tail.c */
		bool held;		  /* its ring, until the last time */
		uint64_t until;		  /* boot clock: what came by then was told */
		uint64_t told;		  /* records that were, or that were said to be gone */
		uint64_t lost;		  /* of those said to be gone */
		struct loop_counts since; /* the sums were said last */
	} followed;
};

struct traceloop {
	struct containers *containers;
	unsigned int subscription;
	struct loop_kernel *kernel;
	const struct selector *selector;
	uint64_t budget_bytes, keep_ns;
	uint64_t trace_ids; /* what they begin with: of this run alone */
	uint64_t last_id, last_added;
	TAILQ_HEAD(tracelets, tracelet) tracelets; /* oldest first */
	size_t n_tracelets, n_settling;
	struct reactor *reactor;
	struct timer tidy;
	struct clock_base clock;
	bool over_budget; /* which was said */
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
};

/* Rings lie ready for as many as may come before we run again. */
enum { RINGS_READY = 8 };

uint64_t loop_now(void); /* boot clock */

/* traceloop.c */
void traceloop_make_room(struct traceloop *t); /* after a ring was given to somebody */
void traceloop_tidy_later(struct traceloop *t);
void traceloop_notice_gone(struct traceloop *t);

/* follow.c */
container_event_fn tracelets_follow;

/* tracelets.c */
struct tracelet *tracelet_new(struct traceloop *t, uint64_t key,
			      struct container *c);		 /* c may be NULL */
struct tracelet *tracelet_of(struct traceloop *t, uint64_t key); /* NULL: none */
void tracelet_let_go(struct traceloop *t, struct tracelet *l);	 /* who followed it does no more */
void tracelet_read(struct traceloop *t, struct tracelet *l, struct loop_dump *ret);
