/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of traces/ share.
 *
 *   tracer ──┐ shares: what a tracer has of a container (account.h)
 *   tracer ──┼──── attachment: a gadget that is loaded and attached, once for all its tracers
 *   tracer ──┘        └── tracks: what the attachment has of a container
 *
 * A record is read once. Its track says whether it must wait (for a name, in the sort window) and
 * has the shares of those tracers that want it: each is given it. traces.c: life and dispatching;
 * attachment.c: attaching, joining and leaving; collect.c: tables and snapshots; prober.c: probes in
 * libraries; tracks.c: tracks and shares; follow.c: containers that come and go, and the maps of
 * wanted ones; read.c: records, tables and loss; texts.c: numbers that become texts; pace.c: when to
 * look; totals.c: what is told of the counts.
 */
#pragma once

#include "base/buf.h"
#include "base/reactor.h"
#include "columns/decoder.h"
#include "containers/addresses.h"
#include "columns/types.h"
#include "containers/containers.h"
#include "symbols/kernel.h"
#include "symbols/symbols.h"
#include "traces/account.h"
#include "traces/hold.h"
#include "traces/merge.h"
#include "traces/prober.h"
#include "traces/traces.h"

/*
 * How long records of an ended container may still be on their way: programs that were running when
 * it ended.
 */
#define END_GRACE_NS 300000000ull

/* A field that is to be a text, and what kind: texts.c. */
struct late_text {
	uint32_t offset;
	const struct late_text_kind *kind;
};

struct trace_source {
	const struct gadget *gadget;
	enum source_kind kind;
	bool sampled;
	int time_offset, container_offset; /* in the record; -1: it has no such field */
	uint64_t taken;			   /* top: boot clock when the table was taken last */
	struct late_text *texts;	   /* its fields that are numbers in the ring */
	size_t n_texts;
	const struct decoder *decoder; /* its gadget's own; NULL: none */
};

/* What an attachment has of a container, of the host (key 0), or of a key of no container. */
struct track {
	uint64_t key;
	struct container *container; /* a reference; NULL: the host, or not known */
	struct hold *hold;	     /* not NULL: its names are being looked for */
	bool ended;		     /* no longer among the selected ones */
	uint64_t stray_until;	     /* of no container: boot clock when its records have come */
	uint64_t read;		     /* records that were read and kept */
	uint64_t waiting;	     /* of these, those that nobody was given yet */
	uint64_t lost_here;	     /* records that were read and not kept */
	size_t n_wanted;	     /* shares that are wanted */
	struct account_entries shares;
};

struct attachment {
	struct traces *ts;
	struct gadget *gadget;
	struct gadget_load_options load;
	uint64_t interval_ns;
	bool shared; /* tracers may join */
	bool named;  /* snapshots need not wait for names */
	int wanted_fd;
	bool mapped; /* wanted_fd was given to the container collection */
	struct trace_source *sources;
	size_t n_sources;
	struct trace **tracers; /* that are not finished */
	size_t n_tracers, room_tracers;
	size_t n_refs; /* tracers, finished ones included */
	struct track **by_slot;
	size_t n_slots;
	struct track stray; /* of records without a usable key */
	uint64_t misses;
	struct prober *prober; /* NULL: its programs are in no library */
	struct watch ring_watch;
	struct timer table_timer;
	uint64_t tables_at; /* boot clock: the end of the interval */
	bool tables_due;
};

struct trace {
	struct attachment *attachment;
	struct gadget *own; /* as opened by who joined; NULL: the attachment's is its own */
	const struct selector *selector;
	struct trace_reader reader;
	bool finished;
	size_t n_wanted;
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
	struct attachment **attachments; /* those that run */
	size_t n_attachments, room_attachments;
	size_t n_streams; /* tracer sources of all attachments */
	size_t n_strays;  /* tracks of no container in all attachments */
	uint64_t window_ns;
	struct merge *merge; /* NULL: no window */
	struct hold_room hold_room;
	struct naming naming;
	struct ending *endings; /* the first is over first */
	size_t n_endings, room_endings;

	struct reactor *reactor;
	struct watch containers_watch;
	struct timer read_timer, loss_timer;
	bool asleep; /* the first record or loss wakes us: no read timer */
	bool loss_due;
	uint64_t eager_until; /* boot clock */
	uint64_t active_at;   /* boot clock when there was something to do for the last time */

	uint64_t now;		   /* boot clock at the start of this dispatch */
	uint64_t newest;	   /* boot clock when a record newer than that was met */
	struct symbols *symbols;   /* NULL: no user stack was met yet */
	struct kernel_symbols *kernel; /* NULL: no kernel stack was met yet */
	struct addresses *addresses;   /* NULL: no address was met whose owner is told */
	struct kept_stack {
		const struct gadget *gadget;
		uint64_t id; /* 0: none */
		ssize_t n;
		char bytes[sizeof(struct g_user_stack)];
	} kept[2]; /* the kernel's and the user stack that were asked for last: fields share them */
	bool kernel_hidden;	       /* it was said that there are no names */
	struct buf made, text;	       /* a record with all its texts; one text */
	struct buf tail;	       /* texts that a decoder makes */
};

uint64_t boot_now(void);

/* attachment.c */
/* One that o's tracer may join with g; NULL: none. */
struct attachment *attachment_find(struct traces *ts, const struct gadget *g,
				   const struct trace_options *o);
/* Takes g over, also when it fails. It is loaded, and among ts->attachments. */
int attachment_new(struct traces *ts, struct gadget *g, const struct trace_options *o,
		   struct attachment **ret, struct err *err);
void attachment_free(struct attachment *a);		      /* all its tracers are freed */
int attachment_attach(struct attachment *a, struct err *err); /* and reads snapshots */
void attachment_detach(struct attachment *a); /* as gadget_detach(), of which it is the only user */
int attachment_join(struct attachment *a, struct trace *t, struct err *err);
/* t is given what waits, and nothing after that; its totals are final. */
void attachment_leave(struct attachment *a, struct trace *t);
/* After the programs left and the rings were read: the last tables, the last loss. */
void attachment_last(struct attachment *a);
/* All its tracers' totals are final. */
void attachment_finish(struct attachment *a);

/* tracks.c */
/* The track of `key`, or NULL: none, or its slot has another. */
static inline struct track *track_find(const struct attachment *a, uint64_t key)
{
	uint32_t slot = container_slot(key);
	struct track *k = slot < a->n_slots ? a->by_slot[slot] : NULL;

	return k && k->key == key ? k : NULL;
}
struct track *track_at(const struct attachment *a, uint32_t slot); /* NULL: free */
/* Its slot is free and below MAX_SLOTS. c (may be NULL) is referenced. */
struct track *track_add(struct attachment *a, uint64_t key, struct container *c);
/* No record of it will come any more: all its shares get their totals. */
void track_finish(struct attachment *a, struct track *k);
/* seen and lost: as they are counted; by what tracers were given; by what was read. */
struct gadget_counters track_counted(const struct attachment *a, const struct track *k);
struct gadget_counters track_given(const struct attachment *a, const struct track *k);
struct gadget_counters track_read(const struct attachment *a, const struct track *k);

struct account_entry *share_add(struct track *k, struct trace *t, bool wanted,
				struct gadget_counters base);
struct account_entry *share_of(const struct track *k, const struct trace *t); /* NULL: none */
void share_want(struct account_entry *e, bool wanted);
void share_drop(struct account_entry *e);
void share_close(struct account_entry *e, struct gadget_counters now); /* totals are final */

/* follow.c */
container_event_fn follow_event;
void follow_known(struct attachment *a); /* makes the tracks of all containers */
void follow_join(struct trace *t);	 /* and t's shares in them */
void follow_leave(struct account_entry *e, struct gadget_counters now);
bool follow_selects(const struct account_entry *e); /* by what is known now; decides nothing */
bool follow_decide(struct account_entry *e);	    /* now, by what is known; false: it is gone */
struct track *follow_unknown(struct attachment *a, uint64_t key); /* of a key met first */
void follow_endings(struct traces *ts, bool all); /* lets those go whose last record was read */
void follow_strays(struct attachment *a);	  /* the same for keys of no container */

/* texts.c */
gadget_record_fn texts_meet; /* ctx: an attachment; a stack that it keeps is there, not yet read */
void texts_find(struct trace_source *to, const struct schema *s);
/*
 * A record with texts for what came as numbers or as bytes to decode, and its size; valid until the
 * next call. The same record where it has none.
 */
const void *texts_made(struct traces *ts, const struct trace_source *s, const void *record,
		       uint32_t *size);

/* collect.c */
void read_tables(struct attachment *a);
int read_first(struct attachment *a, struct err *err); /* what later samples are compared with */
int read_snapshots(struct attachment *a, struct err *err);

/* read.c */
size_t read_rings(struct traces *ts); /* returns the number of records */
/* From a table or a snapshot: it cannot wait, and goes with what is known. ctx: the attachment. */
gadget_record_fn read_table_record;
void read_held(struct attachment *a, struct track *k); /* what was held of it goes its way */
void read_waiting(struct trace *t); /* what waits is given to this tracer, and goes on waiting */
void read_loss(struct attachment *a, bool last); /* tells the readers what is new */
void read_nameless_loss(struct attachment *a, uint64_t n); /* of each tracer, nobody knows whose */
void read_loss_of(struct account_entry *e, struct gadget_counters now, bool last);
merge_fn read_release;

/* pace.c */
void pace_start(struct traces *ts); /* something was attached, whose first record is waited for */
void pace(struct traces *ts, bool active); /* after each dispatch; active: there was something */
void pace_tables(struct attachment *a);	   /* starts the timer of its interval */
