// SPDX-License-Identifier: Apache-2.0
#include "cmd/view_flags.h"
#include "cmd/report_flags.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"

static struct {
	const char *output, *fields, *sort, *value;
	const char **filters;
	size_t n_filters, room_filters;
	uint64_t max_entries;
	bool no_headers;
} opt;

static const char *const outputs[] = {"columns", "json",       "jsonpretty", "yaml",
				      "folded",	 "flamegraph", "pprof",	     "histogram",
				      "tree",	 "none",       NULL};

static int add_filter(const struct flag *f, const char *value, struct err *err)
{
	*grow(&opt.filters, &opt.n_filters, &opt.room_filters) = value;
	return 0;
}

static const struct flag flags[] = {
	{"output", 'o', "MODE",
	 "columns (default), json (one object a line), jsonpretty, yaml, tree (processes below "
	 "their parents), none, or a mode of the gadget's report; of stacks, added up until the "
	 "end: folded (lines), flamegraph (an SVG for browsers), pprof (a file for pprof); "
	 "histogram (drawn at the end, or for each --interval)",
	 flag_text, &opt.output, outputs},
	{"fields", 0, "LIST", "Fields to show: a,b; or +a,-b to add to and take from the default",
	 flag_text, &opt.fields, NULL},
	{"filter", 'F', "EXPR",
	 "Show rows for which all hold: field==value,field~regex (Perl's) …; also != > >= < <= !~ "
	 "; \\, is a comma",
	 add_filter, NULL, NULL},
	{"sort", 0, "LIST", "Sort tables by these fields; -field sorts descending", flag_text,
	 &opt.sort, NULL},
	{"max-entries", 0, "N", "Rows of a table, or of the whole run of a stream", flag_number,
	 &opt.max_entries, NULL},
	{"value", 0, "FIELD",
	 "With -o folded, flamegraph and pprof: add up this number (default: count a stream's "
	 "rows, add up the first "
	 "number of a table's)",
	 flag_text, &opt.value, NULL},
	{"no-headers", 0, NULL, "Leave out the columns' titles", flag_on, &opt.no_headers, NULL},
	{0},
};
const struct flag_table view_flags = {"Output", flags};

/* 0 0 where stdout is no terminal. */
static void terminal_size(unsigned int *ret_columns, unsigned int *ret_rows)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {0};
	uint64_t width;

	*ret_columns = *ret_rows = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		*ret_columns = size.ws_col;
	else if (columns && !parse_u64(columns, &width) && width < 10000)
		*ret_columns = (unsigned int)width;
	*ret_rows = size.ws_row;
}

void view_flags_resize(struct view *v)
{
	unsigned int columns, rows;

	terminal_size(&columns, &rows);
	view_resize(v, columns, rows);
}

bool view_flags_is_output(const struct flag *f)
{
	return f == flags;
}

void view_flags_options(struct view_options *ret)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO) && term &&
			strcmp(term, "dumb") != 0; /* one that can be steered */

	*ret = (struct view_options){
		.output = opt.output,
		.report_options = report_flags_options(),
		.fields = opt.fields,
		.filters = opt.filters,
		.n_filters = opt.n_filters,
		.sort = opt.sort,
		.value = opt.value,
		.max_entries = opt.max_entries,
		.no_headers = opt.no_headers,
		.color = terminal && !(no_color && *no_color),
		.redraw = terminal,
		.fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
	};
	clock_base_now(&ret->clock);
	terminal_size(&ret->columns, &ret->rows);
}

int view_flags_finish(struct view *v, struct err *err)
{
	int r = v ? view_flush(v) : 0;

	return r && r != -EPIPE ? err_set(err, r, "cannot write the output: %s", strerror(-r)) : 0;
}
