/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where rows go, live or replayed: through a view to stdout, and to a record file if one is asked
 * for. Loss and totals are said here, the same way for both.
 */
#pragma once

#include "columns/view.h"
#include "gadget/gadget.h"
#include "recorder/file.h"

struct sink {
	struct view *view;
	int record_fd; /* until it is started; -1: none */
	bool append;
	struct clock_base clock, own; /* the rows', and this machine's */
	struct record_writer *file;   /* NULL: none, or not started */
	int flush_fd;		      /* a timer: rows wait for the file; -1: none */
	bool flush_due;		      /* it is set */
	struct sink_source {
		unsigned int view, file; /* numbers there */
		enum source_kind kind;
		const char *gadget; /* the schema's */
		struct schema *schema;
	} * sources;
	size_t n_sources, room_sources;
};

/*
 * record: path of the file, NULL for none. An older file is cut by sink_start() only, as a slip must
 * not cost it, and not at all where the records are to go behind what it has (append).
 */
int sink_init(struct sink *s, const struct view_options *o, const char *record, bool append,
	      struct err *err);

/* Closes the record file, and says how many rows nobody took; 0 or its first error. Zeroed or
 * half-built is fine. */
int sink_done(struct sink *s, struct err *err);

/* Sources are numbered in the order of their adding, as are the view's. The schema has the
 * container's fields. */
int sink_add(struct sink *s, const struct gadget_source *source, struct err *err);
int sink_start(struct sink *s, struct err *err); /* after the last sink_add */

/* After the start: call sink_flush_file() whenever this is readable. -1: there is no file. */
int sink_flush_fd(const struct sink *s);
void sink_flush_file(struct sink *s);

bool sink_row(struct sink *s, unsigned int source, const struct row *row, bool late);
void sink_table_end(struct sink *s, unsigned int source);
void sink_table_drop(struct sink *s, unsigned int source); /* forgets the rows since its last end */
void sink_lost(struct sink *s, unsigned int source, const struct container *c, uint64_t count);
void sink_totals(struct sink *s, unsigned int source, const char *gadget, struct record_totals n);
void sink_container_totals(const char *container, struct record_totals n); /* a line below the tracer's */

int sink_end(struct sink *s, struct err *err); /* after the last row; as view_end() */

bool sink_full(const struct sink *s);
int sink_flush(struct sink *s); /* -EPIPE: the reader is gone */
