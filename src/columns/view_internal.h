/* SPDX-License-Identifier: Apache-2.0 */
/* What view.c (options, the way of a row) and print.c (how each output mode looks) share. */
#pragma once

#include "base/buf.h"
#include "columns/filter.h"
#include "columns/folded.h"
#include "columns/histogram.h"
#include "columns/json.h"
#include "columns/out.h"
#include "columns/pprof.h"
#include "columns/report.h"
#include "columns/select.h"
#include "columns/sort.h"
#include "columns/table.h"
#include "columns/tree.h"
#include "columns/view.h"

struct view_source {
	struct schema *schema;
	enum view_source_kind kind;
	char *gadget; /* "trace_open"; "trace_open#2" where it runs twice */
	char *label;  /* the same; "trace_open:open" where it has several data sources */
	struct bound_filter **filters;
	size_t n_filters;
	char *default_sort;
	struct sort_key *sort;
	size_t n_sort;
	struct selection selection;
	struct json_plan *plan;		  /* JSON and YAML */
	struct layout *layout;		  /* columns; of mixed streams: the same columns for each */
	const struct field **rest_fields; /* mixed streams: what is shown as key=value */
	size_t n_rest;
	size_t report;	       /* index in the view's */
	struct kept_rows kept; /* tables */
	bool stacks;	       /* it has some, and this is how they are added up: */
	struct folded_plan folded;
	struct pprof_plan pprof;
	struct histogram_plan histograms;
	bool tree; /* of processes */
};

struct view {
	enum output output;
	bool output_default; /* nobody said which */
	char *report_mode;   /* NULL: each report's first */
	struct labels report_options;
	struct view_report *reports;
	size_t n_reports, room_reports;
	struct out out;
	int err_fd;
	struct clock_base clock;
	uint64_t max_entries, n_printed;
	void (*cut)(void *ctx, unsigned int source, const struct row *row);
	void *cut_ctx;
	bool headers, color, redraw, started;
	bool tree;	/* tables of processes are drawn as such */
	bool mixed;	/* rows of several streams in one table */
	bool drawn;	/* redraw: the screen was cleared before */
	bool redrawing; /* between a redrawn table's start and end */
	unsigned int terminal, terminal_rows;
	char *sort;
	struct field_choice *choice;
	struct filter **filters;
	size_t n_filters, room_filters;
	struct view_source *sources;
	size_t n_sources, room_sources;
	struct view_stacks *stacks;    /* NULL: another output mode */
	struct histograms *histograms; /* likewise */
	bool each_table;
	struct buf json, rest; /* scratch */
};

static inline void view_freep(struct view **v)
{
	view_free(*v);
}

/* report.c */
/* Opens the reports that are to be shown; with no output asked for, those that every source has. */
int view_reports_start(struct view *v, struct err *err);
int view_reports_end(struct view *v, struct err *err); /* as view_end() */
void view_reports_done(struct view *v);
bool view_report_row(struct view *v, struct view_source *s, const struct row *row);
bool view_reports_flow(const struct view *v); /* they put out something after each row */

/* view_stacks.c */
bool view_stacks_wanted(enum output output); /* it adds up stacks */
/* value: a field's name or NULL. -EINVAL: fd is a terminal, and the mode not for one. */
int view_stacks_new(enum output output, const char *value, int fd, struct view_stacks **ret,
		    struct err *err);
void view_stacks_free(struct view_stacks *s); /* NULL is fine */
int view_stacks_bind(struct view *v, struct err *err);
bool view_stacks_row(struct view *v, struct view_source *s, const struct row *row);
int view_stacks_end(struct view *v, struct err *err); /* as view_end() */

/* print.c */
void print_start(struct view *v);
void print_resized(struct view *v);
/* False: not printed. */
bool print_row(struct view *v, struct view_source *s, const struct row *row, bool late);
/* The first n of its rows. */
/*
 * Where a source's table ends: those of its interval, or on a terminal those of the run up to now.
 */
void print_histograms(struct view *v, const struct view_source *s);
void print_last_histograms(struct view *v); /* at the end of the run */
void print_table(struct view *v, struct view_source *s, size_t n);
