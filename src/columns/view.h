/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view turns rows into what a person or a program reads: it filters, sorts, limits and prints.
 * One view serves one command: `ig run` gives it rows as they come, `ig replay` rows from a file,
 * `ig list-containers` rows that are structs of its own. Rows of several schemas (several gadgets)
 * may come mixed.
 *
 * Life: fill struct view_options (strings from the command line), view_new(), view_add() for each
 * schema, view_start(), then rows, then view_flush() and view_free().
 *
 * Kinds of source. A stream (trace) prints each row as it comes; view_row()'s answer is final. A
 * table (top, snapshot) collects rows until view_table_end(), then sorts, cuts to max_entries and
 * prints, redrawing in place on a terminal for a table that repeats. Stacks of either are added up
 * until view_end() where the mode says so (columns/folded.h, flamegraph.h, pprof.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "columns/format.h"
#include "columns/schema.h"

enum output {
	OUTPUT_COLUMNS,
	OUTPUT_JSON,
	OUTPUT_JSONPRETTY,
	OUTPUT_YAML,
	OUTPUT_FOLDED,
	OUTPUT_FLAMEGRAPH, /* columns/flamegraph.h */
	OUTPUT_PPROF,	   /* columns/pprof.h */
	OUTPUT_HISTOGRAM, /* columns/histogram.h */
	OUTPUT_NONE,
	OUTPUT_TREE,  /* columns, with processes below their parents (columns/tree.h) */
	OUTPUT_REPORT /* columns/report.h */
};

struct view_options {
	/*
	 * "columns", "json", "jsonpretty", "yaml", "tree", "folded", "flamegraph", "pprof",
	 * "histogram", "none", or a report's mode. NULL: reports where all sources have one, else columns.
	 */
	const char *output;
	const struct labels *report_options; /* values by name; NULL: none; copied */
	const char *value;    /* of stacks: field to add up; NULL: rows, of tables the first number */
	bool each_table;      /* histogram: at each table's end; false: once, of all */
	const char *fields;   /* "a,b", "+d,-c" (to the defaults), "source:a,b;source2:c"; NULL */
	const char **filters; /* n_filters expressions, all must hold; see columns/filter.h */
	size_t n_filters;
	const char *sort; /* "-bytes,comm"; tables only for repeating sources; NULL: as they come */
	uint64_t max_entries; /* tables: rows of each; streams: in all, then view_full(). 0: any */
	bool no_headers;
	bool color;  /* the caller found a terminal and no NO_COLOR */
	bool redraw; /* clear the screen before a repeating table */
	unsigned int
		columns;   /* of the terminal: lines are cut; 0: default widths, nothing is cut */
	unsigned int rows; /* of the terminal: a redrawn table ends above its edge; 0: any */
	/* A table's row that view_row() had taken and max_entries cuts off; NULL: nobody counts. */
	void (*cut)(void *ctx, unsigned int source, const struct row *row);
	void *cut_ctx;
	struct clock_base clock; /* of rows that have none of their own */
	int fd;			 /* where to write; stays the caller's */
	int err_fd;		 /* loss lines of columns and YAML; -1: none */
};

struct view;

/* -EINVAL with a suggestion for an unknown output mode or a malformed expression. */
int view_new(const struct view_options *o, struct view **ret, struct err *err);
struct view *view_free(struct view *v); /* does not flush */

enum view_source_kind { VIEW_STREAM, VIEW_TABLE, VIEW_TABLE_ONCE };

/*
 * A schema whose rows will come; *ret is its number. All are added before the first row. The
 * schema is referenced.
 */
int view_add(struct view *v, struct schema *s, enum view_source_kind kind, unsigned int *ret,
	     struct err *err);

/* Order of a table's rows where the options name none: "-sent,pid". Copied; NULL: as they come. */
void view_default_sort(struct view *v, unsigned int source, const char *sort);

/*
 * After the last view_add: resolves fields, filters and sort keys against the schemas; unknown
 * names are errors here.
 */
int view_start(struct view *v, struct err *err);

/* The terminal has another size now: widths follow it from here on, below new titles. */
void view_resize(struct view *v, unsigned int columns, unsigned int rows);

/*
 * One row; it is read during the call only (tables copy it). True: delivered (printed or kept for
 * the table), false: discarded by filter or limit, or because nobody reads any more. `late` marks a
 * row that came after newer ones of a sorted stream were printed: "late":true, or "(late)" at the
 * line's end.
 */
bool view_row(struct view *v, unsigned int source, const struct row *row, bool late);

/*
 * The rows of a table since its last end are complete: sort, cut to max_entries, print. Returns the
 * number of rows that max_entries cut off, which view_row() had taken. Rows beyond MAX_TABLE_ROWS
 * were refused there; a note says how many.
 */
uint64_t view_table_end(struct view *v, unsigned int source);
void view_table_drop(struct view *v, unsigned int source); /* forgets them instead */

/*
 * Something that is about the stream and not of it (loss): in JSON {"ig":{…}} with the members of
 * `json` (text like "\"event\":\"lost\",…"), in columns and YAML the line `text` on err_fd.
 */
void view_note(struct view *v, const char *json, const char *text);

/* Records of a source that never came: its report says so. */
void view_lost(struct view *v, unsigned int source, uint64_t count);

/*
 * No row will come any more: prints what was added up, or the documents of the reports, where that
 * is the output mode. What a report says is an error: -ENODATA where it has seen nothing to report.
 */
int view_end(struct view *v, struct err *err);

bool view_prints_at_end(const struct view *v); /* and nothing before: after view_start() */

bool view_full(const struct view *v); /* a stream's max_entries is reached */

/*
 * What was printed stays in a buffer until view_flush or until 64 KiB wait. -EPIPE where the
 * reader is gone: end cleanly. Rows that view_row() took and that could not be written are counted
 * in view_unwritten(). A slow reader is waited for, also where fd is non-blocking.
 */
int view_flush(struct view *v);
uint64_t view_unwritten(const struct view *v);
