/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a record file is made of: reader.c goes from chunk to chunk, items.c makes events of
 * what they hold.
 */
#pragma once

#include "recorder/file.h"
#include "recorder/index.h"
#include "recorder/input.h"
#include "recorder/known.h"
#include "recorder/sources.h"

struct record_reader {
	struct chunk_input in;
	struct record_index index;
	size_t next_entry; /* of the index: at or behind the place of reading */
	size_t at;	   /* in a block of rows: the next one */
	size_t rows_end;   /* where they end */

	struct clock_base **clocks; /* of the sections so far; rows point to them */
	size_t n_clocks, room_clocks;
	struct clock_base *clock;
	bool ended;	     /* the section; another may follow */
	uint64_t rows;	     /* of the section */
	uint64_t rows_after; /* as many as the block's head says are then, behind the block */
	uint64_t now;	     /* boot ns: newest time so far in this section */

	struct record_sources sources;
	struct source_map map; /* the section's numbers */
	size_t n_told;	       /* sources that the caller knows */
	struct known_containers known;

	int64_t from_ns, to_ns;	 /* Unix time */
	uint64_t from, to;	 /* the same in the section's boot ns */
	bool bounded, selective; /* by time; at all */
	struct record_span span; /* of the file, where has_span */
	bool has_span;

	bool sliced;
	enum { READER_READY, READER_INDEX, READER_AHEAD } preparing;
	size_t ahead;		       /* entries of the index that were looked at */
	struct clock_base ahead_clock; /* of the section that they are in */
};

#define fault(r, ...) chunk_fault(&(r)->in, __VA_ARGS__)

static inline int64_t unix_time(const struct clock_base *clock, uint64_t boot_ns)
{
	return (int64_t)(boot_ns + (uint64_t)clock->boot_to_real_ns);
}

/* items.c: > 0: an event; 0: it is not wanted. */

/* The next row of the block. */
int item_row(struct record_reader *r, struct record_event *ev);
int item_table_end(struct record_reader *r, struct record_event *ev);
int item_loss(struct record_reader *r, struct record_event *ev);
int item_ring(struct record_reader *r, struct record_event *ev);
int item_totals(struct record_reader *r, struct record_event *ev);
