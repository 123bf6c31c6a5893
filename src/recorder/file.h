/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record files: schemas, containers, records and loss of one run, readable on another machine
 * without BPF or root. The format is written down in docs/record-file.md; version 1.
 *
 * Writing: record_writer_new(), record_writer_source() for each schema, then rows and losses as
 * they come, record_writer_totals() for each tracer, record_writer_close(). A file that was cut
 * short is readable up to there.
 *
 * Reading: record_reader_open(), then record_reader_next() until it returns 0 (end) or an error,
 * which names the fault and its offset; what came before the fault was good.
 */
#pragma once

#include <stdint.h>

#include "columns/format.h"
#include "columns/schema.h"
#include "containers/container.h"

struct record_writer;
struct err;

struct record_totals {
	uint64_t seen, delivered, discarded, lost;
};

/*
 * Takes fd over, also when it fails. The first error of any of these functions stays: later calls
 * return it and write nothing. Rows wait in a block of 64 KiB: call record_writer_flush() at least
 * once a second.
 */
int record_writer_new(int fd, const struct clock_base *clock, struct record_writer **ret,
		      struct err *err);
int record_writer_source(struct record_writer *w, const struct schema *s,
			 unsigned int kind /* enum source_kind */, unsigned int *ret_source,
			 struct err *err);
/*
 * row->part[PART_CONTAINER] is a struct container with its key, or NULL; it is written before its
 * first record, and again before the next one where its version has changed.
 */
int record_writer_row(struct record_writer *w, unsigned int source, const struct row *row);
int record_writer_table_end(struct record_writer *w, unsigned int source, uint64_t boot_ns);
int record_writer_loss(struct record_writer *w, unsigned int source, const struct container *c,
		       uint64_t count);
int record_writer_totals(struct record_writer *w, unsigned int source, struct record_totals n);
int record_writer_flush(struct record_writer *w);
/* Flushes and frees; the first error of the file's life. NULL is fine (0). */
int record_writer_close(struct record_writer *w, struct err *err);

enum record_item {
	RECORD_END,
	RECORD_SOURCE,
	RECORD_ROW,
	RECORD_TABLE_END,
	RECORD_LOSS,
	RECORD_TOTALS
};

struct record_event {
	unsigned int source;
	struct schema *schema;	     /* RECORD_SOURCE: borrowed; has the container's fields */
	unsigned int kind;	     /* RECORD_SOURCE: enum source_kind */
	struct row row;		     /* RECORD_ROW: valid until the next call */
	struct container *container; /* RECORD_ROW, RECORD_LOSS: borrowed, may be NULL; has a
					version of its own */
	uint64_t count;		     /* RECORD_LOSS */
	uint64_t boot_ns;	     /* RECORD_TABLE_END: when the table was taken */
	struct record_totals totals; /* RECORD_TOTALS */
};

struct record_reader;
/* Takes fd over, also when it fails. */
int record_reader_open(int fd, struct record_reader **ret, struct err *err);
struct record_reader *record_reader_free(struct record_reader *r);
const struct clock_base *record_reader_clock(const struct record_reader *r);

/*
 * enum record_item > 0 (of *ret only what belongs to that item is set), RECORD_END (0) at a proper
 * end, -EBADMSG with the fault's place and nature; -errno where reading failed.
 */
int record_reader_next(struct record_reader *r, struct record_event *ret, struct err *err);
