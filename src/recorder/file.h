/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record files: schemas, containers, records and loss of one run or several, readable on another
 * machine without BPF or root. The format is written down in docs/record-file.md: version 2, which
 * is written, and version 1, which is still read.
 *
 * Writing: record_writer_new() or record_writer_append(), record_writer_source() for each schema,
 * then rows and losses as they come, record_writer_totals() for each tracer,
 * record_writer_close(). A file that was cut short is readable up to there.
 *
 * Reading: record_reader_open(), record_reader_select() where not all is wanted, then
 * record_reader_next() until it returns 0 (end) or an error, which names the fault and its offset;
 * what came before the fault was good.
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

/* What became of a container's records in a ring that keeps the newest: their sum is `last`. */
struct record_ring {
	uint64_t last; /* sequence number */
	uint64_t kept, overwritten, lost;
};

/*
 * Takes fd over, also when it fails. The first error of any of these functions stays: later calls
 * return it and write nothing. Rows wait in a block of 64 KiB: call record_writer_flush() about
 * once a second, and not much more often, as small blocks are packed badly.
 */
int record_writer_new(int fd, const struct clock_base *clock, struct record_writer **ret,
		      struct err *err);
/*
 * The same behind what the file has (nothing is fine), as a section with sources and a clock of
 * its own. fd is open for reading and writing, and not with O_APPEND. *ret_dropped: bytes of a
 * last chunk that was not whole, which are gone. -EBADMSG: not such a file, or more than its end is
 * broken; -EBUSY: another is writing it. The file is then as it was.
 */
int record_writer_append(int fd, const struct clock_base *clock, struct record_writer **ret,
			 uint64_t *ret_dropped, struct err *err);
int record_writer_source(struct record_writer *w, const struct schema *s,
			 unsigned int kind /* enum source_kind */, unsigned int *ret_source,
			 struct err *err);
/*
 * row->part[PART_CONTAINER] is a struct container with its key, or NULL; it is written before its
 * first record, and again before the next one where its version has changed. The row's times are
 * of its clock, and become ones of the writer's; without a clock they are of the writer's already.
 */
int record_writer_row(struct record_writer *w, unsigned int source, const struct row *row);
/* The same with what is known of the row's way: its number in its ring, and whether it was late. */
int record_writer_row_as(struct record_writer *w, unsigned int source, const struct row *row,
			 uint64_t sequence, bool late);
int record_writer_table_end(struct record_writer *w, unsigned int source, uint64_t boot_ns);
int record_writer_loss(struct record_writer *w, unsigned int source, const struct container *c,
		       uint64_t count);
/* Of the ring that the rows' sequence numbers are of. */
int record_writer_ring(struct record_writer *w, const struct container *c, struct record_ring n);
int record_writer_totals(struct record_writer *w, unsigned int source, struct record_totals n);
int record_writer_flush(struct record_writer *w);
bool record_writer_waiting(const struct record_writer *w);    /* something for a flush is there */
bool record_writer_amid_table(const struct record_writer *w); /* rows of one, not yet its end */
/* Bytes that the file has at most if it is closed now. */
uint64_t record_writer_bytes(const struct record_writer *w);
/* Flushes and frees; the first error of the file's life. NULL is fine (0). */
int record_writer_close(struct record_writer *w, struct err *err);

enum record_item {
	RECORD_END,
	RECORD_SOURCE,
	RECORD_ROW,
	RECORD_TABLE_END,
	RECORD_LOSS,
	RECORD_TOTALS,
	RECORD_RING,
	RECORD_LATER /* only of a reader that is read in slices */
};

struct record_event {
	unsigned int source;	     /* all but RECORD_RING */
	struct schema *schema;	     /* RECORD_SOURCE: borrowed; has the container's fields */
	unsigned int kind;	     /* RECORD_SOURCE: enum source_kind */
	struct row row;		     /* RECORD_ROW: valid until the next call; its clock is set, and
					is the reader's */
	uint64_t sequence;	     /* RECORD_ROW: in its ring; 0: not numbered */
	bool late;		     /* RECORD_ROW */
	struct container *container; /* RECORD_ROW, RECORD_LOSS, RECORD_RING: borrowed, may be NULL;
					has a version of its own */
	uint64_t count;		     /* RECORD_LOSS */
	uint64_t boot_ns;	     /* RECORD_TABLE_END: when the table was taken */
	bool outside;		     /* RECORD_TABLE_END: which was not in the time selected: its
					rows, which came, are not wanted */
	struct record_totals totals; /* RECORD_TOTALS */
	struct record_ring ring;     /* RECORD_RING */
	int64_t time_ns; /* all but RECORD_SOURCE: Unix time, that of what came before where it has
			    none of its own */
};

/* Which records are wanted. Zeroed bounds and NULL: all. */
struct record_selection {
	int64_t from_ns, to_ns; /* Unix time, both included; 0: not bounded */
	/* Asked for each container as it is described, and for none (NULL); NULL: all are. */
	bool (*wanted)(void *ctx, const struct container *c);
	void *ctx;
};

struct record_reader;
/*
 * Takes fd over, also when it fails. Of a file that can be sought in, the sources of all its
 * sections are told before its first row; of a pipe each when it comes. A source that is declared
 * again in a later section keeps its number.
 */
int record_reader_open(int fd, struct record_reader **ret, struct err *err);
/*
 * For one who has other things to do than to read a long file: open is only begun, and
 * record_reader_prepare() goes on with it, some milliseconds at a time, until it returns false.
 * Then record_reader_next() gives RECORD_LATER, and may be called again, where what is wanted does
 * not come soon.
 */
int record_reader_begin(int fd, struct record_reader **ret, struct err *err);
bool record_reader_prepare(struct record_reader *r);
struct record_reader *record_reader_free(struct record_reader *r);
/* Of the section that is being read. */
const struct clock_base *record_reader_clock(const struct record_reader *r);

/* Unix times of the first and the last record. */
struct record_span {
	int64_t first_ns, last_ns;
};

/*
 * Without reading them. -ENODATA where it is not known: of a pipe, of version 1, where there are no
 * records with a time.
 */
int record_reader_span(const struct record_reader *r, struct record_span *ret);

/*
 * Sets the bounds of *ret as a person gives them: 2026-11-22T10:00:00Z; or -10m, so long before the
 * last record; or +10m, so long after the first. NULL and "" leave a bound as it is. span: NULL
 * where it is not known.
 */
int record_times(const char *from, const char *to, const struct record_span *span,
		 struct record_selection *ret, struct err *err);

/*
 * Before the first record_reader_next(): only what *s wants is given, and what is not is skipped
 * unread where that can be told of a whole block. Loss is given for containers that are wanted and
 * for none; a table's time is that of its end. ctx lives as long as the reader.
 */
void record_reader_select(struct record_reader *r, const struct record_selection *s);

/*
 * enum record_item > 0 (of *ret only what belongs to that item is set), RECORD_END (0) at a proper
 * end, -EBADMSG with the fault's place and nature; -errno where reading failed.
 */
int record_reader_next(struct record_reader *r, struct record_event *ret, struct err *err);
