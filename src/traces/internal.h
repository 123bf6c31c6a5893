/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of traces/ share. traces.c: life and totals; follow.c: containers that come and
 * go, and the maps of wanted ones; read.c: records, tables and loss.
 */
#pragma once

#include "base/buf.h"
#include "containers/containers.h"
#include "symbols/symbols.h"
#include "traces/account.h"
#include "traces/hold.h"
#include "traces/merge.h"
#include "traces/traces.h"

/*
 * How long records of an ended container may still be on their way: programs that were running when
 * it ended.
 */
#define END_GRACE_NS 300000000ull
#define READ_INTERVAL_NS 25000000ull
/* At the start somebody waits for the first record. */
#define EAGER_INTERVAL_NS 3000000ull
#define EAGER_TIME_NS 250000000ull
#define LOSS_INTERVAL_NS 1000000000ull
#define TOP_INTERVAL_NS 1000000000ull

struct trace_source {
	enum source_kind kind;
	int time_offset, container_offset; /* in the record; -1: it has no such field */
	int timer_fd;			   /* top: its interval; else -1 */
	uint64_t taken;			   /* top: boot clock when the table was taken last */
	uint32_t *stacks;		   /* places of its fields of type g_ustack */
	size_t n_stacks;
};

struct trace {
	struct traces *ts;
	struct gadget *gadget;
	const struct selector *selector;
	struct trace_reader reader;
	uint64_t interval_ns;
	bool host;
	int wanted_fd;
	bool mapped; /* wanted_fd was given to the container collection */
	struct trace_source *sources;
	size_t n_sources;
	size_t n_wanted;
	uint64_t misses;
	struct account account;
};

/* A container that ended and whose last records may still be in rings. */
struct ending {
	struct container *container;
	uint64_t until; /* boot clock */
};

struct traces {
	struct containers *containers;
	unsigned int subscription;
	bool started, stopped;
	struct trace **traces;
	size_t n_traces, room_traces;
	size_t n_streams; /* tracer sources of all traces */
	uint64_t window_ns;
	struct merge *merge; /* NULL: no window */
	struct hold_room hold_room;
	struct naming naming;
	struct ending *endings;
	size_t n_endings, room_endings;
	int epoll_fd, read_timer, loss_timer;
	uint64_t eager_until;	   /* boot clock; 0: the read timer has its usual pace */
	uint64_t now;		   /* boot clock at the start of this dispatch */
	uint64_t newest;	   /* boot clock when a record newer than that was met */
	struct symbols *symbols;   /* NULL: no stack was met yet */
	struct buf stacked, stack; /* a record with its stacks as texts; one stack */
};

uint64_t boot_now(void);

/* follow.c */
container_event_fn follow_event;
int follow_start(struct trace *t, struct err *err); /* makes and fills wanted_fd */
struct account_entry *follow_unknown(struct trace *t,
				     uint64_t key); /* the entry of a key met for the first time */
void follow_endings(struct traces *ts, bool all);   /* lets those go whose last record was read */
void follow_strays(struct trace *t);		    /* the same for keys of no container */

/* stacks.c */
void stacks_find(struct trace_source *to, const struct schema *s);
/*
 * A record with its user stacks as texts, and its size; valid until the next call. The same record
 * where it has none.
 */
const void *stacks_as_texts(struct traces *ts, const struct trace_source *s, const void *record,
			    uint32_t *size);

/* read.c */
void read_rings(struct traces *ts);
void read_held(struct trace *t, struct account_entry *e); /* what was held of it goes its way */
void read_table(struct trace *t, unsigned int source);	  /* top: rows and end */
int read_snapshot(struct trace *t, unsigned int source, struct err *err);
void read_loss(struct trace *t, bool last); /* tells the reader what is new */
void read_loss_of(struct trace *t, struct account_entry *e, bool last);
merge_fn read_release;
