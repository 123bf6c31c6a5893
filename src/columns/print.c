// SPDX-License-Identifier: Apache-2.0
/* How each output mode looks: one line of JSON, a YAML document, lines of a table. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "columns/restyle.h"
#include "columns/view_internal.h"

enum { FLUSH_BYTES = 64 * 1024, NOTE_BYTES = 64 * 1024 };

/* ---- starting ------------------------------------------------------------------------------ */

static void start_json(struct view *v, struct view_source *s)
{
	_cleanup_(buf_done) struct buf head = {.max = 4096};

	if (v->n_sources > 1) {
		const char *source = s->schema->name;

		buf_str(&head, "\"gadget\":");
		json_quote(&head, s->gadget, strlen(s->gadget));
		buf_char(&head, ',');
		if (strcmp(s->gadget, s->label)) {
			buf_str(&head, "\"source\":");
			json_quote(&head, source, strlen(source));
			buf_char(&head, ',');
		}
	}
	s->plan = json_plan_new(s->schema, &s->selection, buf_cstr(&head), &v->clock);
}

static const struct field *find_column(const struct selection *from, const char *name)
{
	for (size_t i = 0; i < from->n; i++)
		if (!strcmp(from->columns[i]->name, name))
			return from->columns[i];
	return NULL;
}

/* True where each stream shows a field of this name. */
static bool is_common(const struct view *v, const char *name)
{
	for (size_t i = 0; i < v->n_sources; i++)
		if (v->sources[i].kind == VIEW_STREAM &&
		    !find_column(&v->sources[i].selection, name))
			return false;
	return true;
}

/*
 * Splits a stream's columns into those that all streams have, in the order of the first stream, and
 * the rest.
 */
static void split_columns(const struct view *v, const struct view_source *first,
			  struct view_source *s)
{
	const struct selection *from = &s->selection;
	const struct field **common = xnew_n(const struct field *, from->n);
	size_t n = 0;

	s->rest_fields = xnew_n(const struct field *, from->n);
	for (size_t i = 0; i < first->selection.n; i++)
		if (is_common(v, first->selection.columns[i]->name))
			common[n++] = find_column(from, first->selection.columns[i]->name);
	for (size_t i = 0; i < from->n; i++)
		if (!is_common(v, from->columns[i]->name))
			s->rest_fields[s->n_rest++] = from->columns[i];
	memcpy(from->columns, common, n * sizeof(*common));
	s->selection.n = n;
	free(common);
}

static struct view_source *first_stream(const struct view *v)
{
	struct view_source *s = v->sources;

	while (s->kind != VIEW_STREAM)
		s++;
	return s;
}

static void start_mixed(struct view *v)
{
	const struct view_source *first = first_stream(v);
	struct view_source copy = *first; /* its columns are split, too */

	copy.selection.columns = xnew_n(const struct field *, first->selection.n);
	memcpy(copy.selection.columns, first->selection.columns,
	       first->selection.n * sizeof(*copy.selection.columns));
	for (size_t i = v->n_sources; i-- > 0;) /* the first last: the others look at it */
		if (v->sources[i].kind == VIEW_STREAM)
			split_columns(v, &copy, &v->sources[i]);
	free(copy.selection.columns);
}

/* The titles of streams stand there before the first record: a person sees that ig listens. */
static void print_titles(struct view *v)
{
	for (size_t i = 0; v->headers && i < v->n_sources; i++)
		if (v->sources[i].kind == VIEW_STREAM) {
			layout_header(v->sources[i].layout, v->color, &v->out.buf);
			break;
		}
	out_flush(&v->out);
}

/* Streams that are mixed have the widths of the first. */
static struct layout *make_layout(const struct view *v, const struct view_source *s)
{
	bool in_mixed = v->mixed && s->kind == VIEW_STREAM;
	size_t width = 0;

	if (in_mixed)
		s = first_stream(v);
	for (size_t i = 0; in_mixed && i < v->n_sources; i++) {
		const char *label = v->sources[i].label;

		if (v->sources[i].kind == VIEW_STREAM && text_width(label, strlen(label)) > width)
			width = text_width(label, strlen(label));
	}
	return layout_new(s->schema, s->selection.columns, s->selection.n,
			  in_mixed ? "GADGET" : NULL, width, v->terminal);
}

static void start_columns(struct view *v, size_t n_streams)
{
	v->mixed = n_streams > 1;
	if (v->mixed)
		start_mixed(v);
	for (size_t i = 0; i < v->n_sources; i++)
		v->sources[i].layout = make_layout(v, &v->sources[i]);
	print_titles(v);
}

void print_resized(struct view *v)
{
	bool moved = false;

	if (v->output != OUTPUT_COLUMNS)
		return;
	for (size_t i = 0; i < v->n_sources; i++) {
		struct view_source *s = &v->sources[i];

		layout_free(s->layout);
		s->layout = make_layout(v, s);
		moved |= s->kind == VIEW_STREAM;
	}
	v->drawn = false; /* lines of the old width are folded: clear all */
	if (moved)
		print_titles(v);
}

void print_start(struct view *v)
{
	size_t streams = 0;

	for (size_t i = 0; i < v->n_sources; i++)
		streams += v->sources[i].kind == VIEW_STREAM;
	if (v->output == OUTPUT_COLUMNS) {
		start_columns(v, streams);
	} else if (v->output != OUTPUT_NONE && v->output != OUTPUT_REPORT && !v->stacks &&
		   !v->histograms) {
		for (size_t i = 0; i < v->n_sources; i++)
			start_json(v, &v->sources[i]);
	}
}

/* ---- rows ---------------------------------------------------------------------------------- */

static bool needs_quotes(const char *s)
{
	return !*s || strpbrk(s, " \"=");
}

/* `key=value` of what mixed streams do not have in common; empty values are left out. */
static const char *make_rest(struct view *v, const struct view_source *s, const struct row *row)
{
	_cleanup_(buf_done) struct buf value = {.max = v->rest.max};

	buf_clear(&v->rest);
	for (size_t i = 0; i < s->n_rest; i++) {
		const struct field *f = s->rest_fields[i];

		buf_clear(&value);
		field_text(f, row, &v->clock, &value);
		if (!value.len)
			continue;
		if (v->rest.len)
			buf_char(&v->rest, ' ');
		buf_str(&v->rest, f->name);
		buf_char(&v->rest, '=');
		if (!needs_quotes(buf_cstr(&value))) {
			buf_add(&v->rest, value.data, value.len);
			continue;
		}
		buf_char(&v->rest, '"');
		for (size_t at = 0; at < value.len; at++) {
			if (value.data[at] == '"')
				buf_char(&v->rest, '\\');
			buf_char(&v->rest, value.data[at]);
		}
		buf_char(&v->rest, '"');
	}
	return buf_cstr(&v->rest);
}

/*
 * The line takes the place of one that may be longer. Not the whole screen is cleared: that
 * flickers. Nor is the rest of the line, afterwards: behind a full line that takes its last
 * character.
 */
static void start_redrawn_line(struct view *v)
{
	if (v->redrawing)
		buf_str(&v->out.buf, "\033[K");
}

static void print_columns(struct view *v, struct view_source *s, const struct row *row, bool late)
{
	bool in_mixed = v->mixed && s->kind == VIEW_STREAM;
	const char *rest = in_mixed ? make_rest(v, s, row) : "";

	start_redrawn_line(v);
	layout_row(s->layout, s->selection.columns, row, &v->clock, s->label, rest, late,
		   &v->out.buf);
}

bool print_row(struct view *v, struct view_source *s, const struct row *row, bool late)
{
	struct buf *out = &v->out.buf;
	size_t start = out->len;

	switch (v->output) {
	case OUTPUT_TREE: /* is columns by now */
	case OUTPUT_NONE:
	case OUTPUT_FOLDED:
	case OUTPUT_FLAMEGRAPH:
	case OUTPUT_PPROF:
	case OUTPUT_HISTOGRAM:
		return true;
	case OUTPUT_REPORT:
		if (!view_report_row(v, s, row))
			return false;
		if (!view_reports_flow(v))
			return true;
		break;
	case OUTPUT_COLUMNS:
		print_columns(v, s, row, late);
		break;
	case OUTPUT_JSON:
		if (!json_plan_row(s->plan, row, late, out))
			return false;
		buf_char(out, '\n');
		break;
	case OUTPUT_JSONPRETTY:
	case OUTPUT_YAML:
		buf_clear(&v->json);
		if (!json_plan_row(s->plan, row, late, &v->json))
			return false;
		if (v->output == OUTPUT_YAML)
			json_to_yaml(v->json.data, v->json.len, out);
		else
			json_indent(v->json.data, v->json.len, out);
		break;
	}
	if (out->failed) { /* a row of many megabytes: all or nothing */
		out->failed = false;
		out->len = start;
		return false;
	}
	out_row_end(&v->out);
	if (out->len >= FLUSH_BYTES)
		out_flush(&v->out);
	return true;
}

/* ---- tables -------------------------------------------------------------------------------- */

static bool redraws(const struct view *v, const struct view_source *s)
{
	return v->redraw && s->kind == VIEW_TABLE && v->n_sources == 1;
}

/* Above the screen's last line, where the cursor stands. */
static size_t room_for_rows(const struct view *v)
{
	size_t used = 1 + v->headers;

	if (!v->terminal_rows)
		return SIZE_MAX;
	return v->terminal_rows > used ? v->terminal_rows - used : 1;
}

/* Of n rows: how many the screen has room for. */
static size_t start_table(struct view *v, struct view_source *s, size_t n)
{
	if (v->output != OUTPUT_COLUMNS)
		return n;
	v->redrawing = redraws(v, s);
	if (v->redrawing && n > room_for_rows(v))
		n = room_for_rows(v);
	for (size_t i = 0; i < n; i++)
		layout_widen(s->layout, s->selection.columns, &s->kept.rows[i].row, &v->clock);
	if (v->redrawing) { /* no long line may fold: that would scroll */
		buf_str(&v->out.buf, "\033[?7l");
		buf_str(&v->out.buf, v->drawn ? "\033[H" : "\033[2J\033[H");
	} else if (v->drawn && v->headers) {
		buf_char(&v->out.buf, '\n');
	}
	v->drawn = true;
	if (!v->headers)
		return n;
	start_redrawn_line(v);
	layout_header(s->layout, v->color, &v->out.buf);
	return n;
}

static void print_line(struct view *v, struct view_source *s, const struct tree_line *line)
{
	start_redrawn_line(v);
	layout_row(s->layout, s->selection.columns, line->row, &v->clock, line->text, "", false,
		   &v->out.buf);
	out_row_end(&v->out);
	if (v->out.buf.len >= FLUSH_BYTES)
		out_flush(&v->out);
}

static void print_tree(struct view *v, struct view_source *s, size_t n)
{
	struct tree_line *lines = tree_lines(s->schema, s->kept.rows, n);
	size_t width = 0, shown;

	for (size_t i = 0; i < n; i++) {
		size_t w = text_width(lines[i].text, strlen(lines[i].text));

		width = w > width ? w : width;
	}
	layout_free(s->layout);
	s->layout = layout_new(s->schema, s->selection.columns, s->selection.n, "PROCESS", width,
			       v->terminal);
	shown = start_table(v, s, n);
	for (size_t i = 0; i < shown; i++)
		print_line(v, s, &lines[i]);
	tree_lines_free(lines, n);
}

void print_table(struct view *v, struct view_source *s, size_t n)
{
	if (s->tree) {
		print_tree(v, s, n);
	} else {
		n = start_table(v, s, n);
		for (size_t i = 0; i < n; i++)
			print_row(v, s, &s->kept.rows[i].row, false);
	}
	if (v->redrawing)
		buf_str(&v->out.buf, "\033[J\033[?7h"); /* lines that the last table had more */
	v->redrawing = false;
}

/* ---- histograms ---------------------------------------------------------------------------- */

void print_histograms(struct view *v, const struct view_source *s)
{
	struct buf *out = &v->out.buf;

	if (v->each_table) {
		histograms_draw(v->histograms, v->terminal, out);
		histograms_clear(v->histograms);
	} else if (redraws(v, s)) {
		buf_str(out, "\033[H\033[2J");
		histograms_draw(v->histograms, v->terminal, out);
		v->drawn = true;
	}
}

void print_last_histograms(struct view *v)
{
	if (v->drawn) /* in place of what was drawn last */
		buf_str(&v->out.buf, "\033[H\033[2J");
	histograms_draw(v->histograms, v->terminal, &v->out.buf);
}

void view_note(struct view *v, const char *json, const char *text)
{
	_cleanup_(buf_done) struct buf line = {.max = NOTE_BYTES};

	if (v->output == OUTPUT_JSON || v->output == OUTPUT_JSONPRETTY) {
		buf_str(&line, "{\"ig\":{");
		buf_str(&line, json);
		buf_str(&line, "}}");
		if (v->output == OUTPUT_JSONPRETTY)
			json_indent(line.data, line.len, &v->out.buf);
		else
			buf_printf(&v->out.buf, "%s\n", buf_cstr(&line));
		return;
	}
	if (v->err_fd < 0)
		return;
	escape_text(&line, text, strlen(text));
	buf_char(&line, '\n');
	while (write(v->err_fd, line.data, line.len) < 0 && errno == EINTR)
		;
}
