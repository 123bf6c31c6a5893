// SPDX-License-Identifier: Apache-2.0
/* Views: options, sources, and the way of a row through filter, limit and printing. */
#include "columns/view.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "columns/view_internal.h"

static const char *const output_names[] = {
	[OUTPUT_COLUMNS] = "columns",
	[OUTPUT_JSON] = "json",
	[OUTPUT_JSONPRETTY] = "jsonpretty",
	[OUTPUT_YAML] = "yaml",
	[OUTPUT_TREE] = "tree",
	[OUTPUT_FOLDED] = "folded",
	[OUTPUT_FLAMEGRAPH] = "flamegraph",
	[OUTPUT_PPROF] = "pprof",
	[OUTPUT_NONE] = "none",
	[OUTPUT_HISTOGRAM] = "histogram",
};

static const char *nth_output(const void *ctx, size_t i)
{
	return i < array_size(output_names) ? output_names[i] : NULL;
}

static int parse_output(const char *name, enum output *ret, struct err *err)
{
	const char *suggestion;

	for (size_t i = 0; i < array_size(output_names); i++)
		if (!name || !strcmp(name, output_names[i])) {
			*ret = (enum output)i;
			return 0;
		}
	if (report_mode_known(name)) {
		*ret = OUTPUT_REPORT;
		return 0;
	}
	suggestion = nearest(name, nth_output, NULL);
	if (suggestion)
		return err_set(err, -EINVAL, "no output mode '%s'; did you mean '%s'?", name,
			       suggestion);
	return err_set(err, -EINVAL,
		       "no output mode '%s'; there are columns, json, jsonpretty, yaml, tree, "
		       "folded, flamegraph, pprof, histogram and none",
		       name);
}

int view_new(const struct view_options *o, struct view **ret, struct err *err)
{
	_cleanup_(view_freep) struct view *v = xnew(struct view);
	int r;

	out_init(&v->out, o->fd);
	buf_init(&v->json, MAX_HELD_BYTES);
	buf_init(&v->rest, MAX_HELD_BYTES);
	v->err_fd = o->err_fd;
	v->clock = o->clock;
	v->max_entries = o->max_entries;
	v->cut = o->cut;
	v->cut_ctx = o->cut_ctx;
	v->headers = !o->no_headers;
	v->color = o->color;
	v->redraw = o->redraw;
	v->terminal = o->columns;
	v->terminal_rows = o->rows;
	v->sort = xstrdup(o->sort && *o->sort ? o->sort : NULL);
	r = parse_output(o->output, &v->output, err);
	if (!r && view_stacks_wanted(v->output))
		r = view_stacks_new(v->output, o->value, o->fd, &v->stacks, err);
	else if (!r && o->value)
		r = err_set(err, -EINVAL, "--value goes with -o folded, flamegraph and pprof");
	if (!r && v->output == OUTPUT_HISTOGRAM)
		v->histograms = histograms_new();
	v->each_table = o->each_table;
	v->output_default = !o->output;
	if (v->output == OUTPUT_REPORT)
		v->report_mode = xstrdup(o->output);
	if (o->report_options)
		labels_merge(&v->report_options, o->report_options);
	v->tree = v->output == OUTPUT_TREE;
	if (v->tree)
		v->output = OUTPUT_COLUMNS;
	if (!r)
		r = field_choice_new(o->fields, &v->choice, err);
	for (size_t i = 0; !r && i < o->n_filters; i++) {
		struct filter *f;

		if (!o->filters[i] || !*o->filters[i])
			continue;
		r = filter_parse(o->filters[i], &f, err);
		if (!r)
			*grow(&v->filters, &v->n_filters, &v->room_filters) = f;
	}
	if (r)
		return r;
	*ret = take(v);
	return 0;
}

static void source_done(struct view_source *s)
{
	for (size_t i = 0; i < s->n_filters; i++)
		bound_filter_free(s->filters[i]);
	free(s->filters);
	sort_keys_free(s->sort, s->n_sort);
	free(s->default_sort);
	free(s->gadget);
	free(s->label);
	free(s->rest_fields);
	selection_done(&s->selection);
	json_plan_free(s->plan);
	layout_free(s->layout);
	kept_rows_clear(&s->kept);
	histogram_plan_done(&s->histograms);
	schema_unref(s->schema);
}

struct view *view_free(struct view *v)
{
	if (!v)
		return NULL;
	for (size_t i = 0; i < v->n_sources; i++)
		source_done(&v->sources[i]);
	free(v->sources);
	for (size_t i = 0; i < v->n_filters; i++)
		filter_free(v->filters[i]);
	free(v->filters);
	field_choice_free(v->choice);
	free(v->sort);
	view_stacks_free(v->stacks);
	histograms_free(v->histograms);
	view_reports_done(v);
	buf_done(&v->json);
	buf_done(&v->rest);
	out_done(&v->out);
	free(v);
	return NULL;
}

int view_add(struct view *v, struct schema *s, enum view_source_kind kind, unsigned int *ret,
	     struct err *err)
{
	struct view_source *to;

	if (v->started)
		return err_set(err, -EINVAL, "a view's sources are added before its rows");
	to = grow(&v->sources, &v->n_sources, &v->room_sources);
	to->schema = schema_ref(s);
	to->kind = kind;
	to->kept.schema = s;
	*ret = (unsigned int)(v->n_sources - 1);
	return 0;
}

void view_default_sort(struct view *v, unsigned int source, const char *sort)
{
	free(v->sources[source].default_sort);
	v->sources[source].default_sort = xstrdup(sort && *sort ? sort : NULL);
}

/* ---- starting ------------------------------------------------------------------------------ */

/* Each condition of each filter must mean something to some source. */
static int check_filters(struct view *v, struct err *err)
{
	for (size_t i = 0; i < v->n_filters; i++) {
		const char *name, *key;

		for (size_t c = 0; (name = filter_field(v->filters[i], c)); c++) {
			const char *colon = strchr(name, ':');
			bool known = false;

			for (size_t s = 0; s < v->n_sources; s++)
				known |= filter_knows(v->filters[i], c, v->sources[s].schema);
			if (known)
				continue;
			if (schema_require_or_label(v->sources[0].schema, colon ? colon + 1 : name,
						    &key, err))
				return err_set(err, -ENOENT, "--filter: '%s' names no data source",
					       name);
			return err_wrap(err, -ENOENT, "--filter");
		}
	}
	return 0;
}

static int bind_filters(struct view *v, struct view_source *s, struct err *err)
{
	s->filters = xnew_n(struct bound_filter *, v->n_filters);
	for (size_t i = 0; i < v->n_filters; i++) {
		size_t known;
		int r = filter_bind(v->filters[i], s->schema, &v->clock, false, &s->filters[i],
				    &known, err);

		if (r)
			return r;
		s->n_filters++;
	}
	return 0;
}

/* The keys of --sort hold for tables; each must be known to one of them. */
static int bind_sort(struct view *v, struct err *err)
{
	size_t tables = 0, known = 0;

	for (size_t i = 0; i < v->n_sources; i++) {
		struct view_source *s = &v->sources[i];
		const char *spec = v->sort ? v->sort : s->default_sort;
		int r;

		if (s->kind == VIEW_STREAM)
			continue;
		tables++;
		if (!spec)
			continue;
		r = sort_keys_parse(spec, s->schema, &s->sort, &s->n_sort, err);
		if (r && (r != -ENOENT || !v->sort))
			return r;
		known += !r;
	}
	if (!v->sort || known)
		return 0;
	if (!tables)
		return err_set(err, -EINVAL,
			       "--sort: only tables can be sorted, not a stream of records");
	return -ENOENT;
}

/* Sources without a histogram show nothing. */
static int bind_histograms(struct view *v, struct err *err)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; v->histograms && i < v->n_sources; i++) {
		struct view_source *s = &v->sources[i];

		r = histogram_plan_make(s->schema, &s->selection, &s->histograms, err);
		any |= !r;
	}
	return any ? 0 : r;
}

/*
 * What a source is called where several are mixed: its gadget, with a number where that runs
 * several times and with the data source where it has several.
 */
static void set_labels(struct view *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		const struct schema *s = v->sources[i].schema;
		const char *gadget = (s->gadget ?: s->name) ?: "";
		struct view_source *to = &v->sources[i];
		bool several = false;
		size_t nth = 1;

		for (size_t j = 0; s->gadget && j < v->n_sources; j++) {
			const struct schema *other = v->sources[j].schema;

			if (!str_equal(other->gadget, s->gadget))
				continue;
			if (str_equal(other->name, s->name))
				nth += j < i;
			else
				several = true;
		}
		to->gadget = nth > 1 ? xasprintf("%s#%zu", gadget, nth) : xstrdup(gadget);
		to->label = several && s->name ? xasprintf("%s:%s", to->gadget, s->name)
					       : xstrdup(to->gadget);
	}
}

/* The name of a process is drawn with its branches, and not in a column of its own. */
static int choose_trees(struct view *v, struct err *err)
{
	bool any = false;

	for (size_t i = 0; i < v->n_sources; i++) {
		struct view_source *s = &v->sources[i];

		s->tree = s->kind != VIEW_STREAM && tree_fits(s->schema);
		if (s->tree)
			selection_hide(&s->selection, TREE_NAME_FIELD);
		any |= s->tree;
	}
	return any ? 0
		   : err_set(err, -EINVAL,
			     "-o tree is for tables of processes: with proc.comm, proc.pid and "
			     "proc.parent.pid");
}

int view_start(struct view *v, struct err *err)
{
	int r;

	if (v->started || !v->n_sources)
		return err_set(err, -EINVAL, "a view starts once, with at least one source");
	for (size_t i = 0; i < v->n_sources; i++)
		field_choice_apply(v->choice, v->sources[i].schema, &v->sources[i].selection);
	r = field_choice_check(v->choice, v->sources[0].schema, err);
	if (!r)
		r = check_filters(v, err);
	for (size_t i = 0; !r && i < v->n_sources; i++)
		r = bind_filters(v, &v->sources[i], err);
	if (!r)
		r = bind_sort(v, err);
	if (!r)
		r = view_stacks_bind(v, err);
	if (!r)
		r = bind_histograms(v, err);
	if (!r)
		r = view_reports_start(v, err);
	if (r)
		return r;
	if (v->tree)
		r = choose_trees(v, err);
	if (r)
		return r;
	set_labels(v);
	print_start(v);
	v->started = true;
	return 0;
}

void view_resize(struct view *v, unsigned int columns, unsigned int rows)
{
	bool same = v->terminal == columns;

	v->terminal = columns;
	v->terminal_rows = rows;
	if (v->started && !same)
		print_resized(v);
}

/* ---- rows ---------------------------------------------------------------------------------- */

bool view_row(struct view *v, unsigned int source, const struct row *row, bool late)
{
	struct view_source *s;

	if (!v->started || source >= v->n_sources || v->out.error)
		return false;
	s = &v->sources[source];
	if (s->kind == VIEW_STREAM && view_full(v))
		return false;
	for (size_t i = 0; i < s->n_filters; i++)
		if (!filter_match(s->filters[i], row))
			return false;
	if (v->stacks) {
		if (!view_stacks_row(v, s, row))
			return false;
		v->n_printed += s->kind == VIEW_STREAM;
		return true;
	}
	if (v->histograms)
		return s->histograms.n_histograms &&
		       histograms_add(v->histograms, &s->histograms, row, &v->clock);
	if (s->kind != VIEW_STREAM)
		return v->output == OUTPUT_NONE || kept_rows_add(&s->kept, row);
	if (!print_row(v, s, row, late))
		return false;
	v->n_printed++;
	return true;
}

static void report_refused(struct view *v, const struct view_source *s)
{
	_cleanup_(buf_done) struct buf json = {.max = 4096};
	_cleanup_(buf_done) struct buf text = {.max = 4096};

	buf_str(&json, "\"event\":\"cut\",\"gadget\":");
	json_quote(&json, s->label, strlen(s->label));
	buf_str(&json, ",\"count\":");
	buf_u64(&json, s->kept.refused);
	buf_printf(&text, "%s: a table holds at most %d rows; %llu were left out", s->label,
		   MAX_TABLE_ROWS, (unsigned long long)s->kept.refused);
	view_note(v, buf_cstr(&json), buf_cstr(&text));
}

uint64_t view_table_end(struct view *v, unsigned int source)
{
	struct view_source *s;
	size_t shown;
	uint64_t cut;

	if (!v->started || source >= v->n_sources || v->sources[source].kind == VIEW_STREAM)
		return 0;
	s = &v->sources[source];
	if (v->histograms) {
		print_histograms(v, s);
		return 0;
	}
	kept_rows_sort(&s->kept, s->sort, s->n_sort);
	shown = v->max_entries && v->max_entries < s->kept.n ? (size_t)v->max_entries : s->kept.n;
	cut = s->kept.n - shown;
	for (size_t i = shown; v->cut && i < s->kept.n; i++)
		v->cut(v->cut_ctx, source, &s->kept.rows[i].row);
	if (v->output != OUTPUT_NONE && !v->stacks && !v->out.error)
		print_table(v, s, shown);
	if (s->kept.refused)
		report_refused(v, s);
	kept_rows_clear(&s->kept);
	return cut;
}

void view_table_drop(struct view *v, unsigned int source)
{
	if (source < v->n_sources)
		kept_rows_clear(&v->sources[source].kept);
}

static void end_histograms(struct view *v)
{
	_cleanup_(buf_done) struct buf text = {.max = 4096};
	unsigned long long refused = histograms_refused(v->histograms);

	print_last_histograms(v);
	if (!refused)
		return;
	buf_printf(&text, "%llu rows were left out: too many different histograms", refused);
	view_note(v, "", buf_cstr(&text));
}

bool view_prints_at_end(const struct view *v)
{
	return v->stacks || (v->output == OUTPUT_REPORT && !view_reports_flow(v));
}

int view_end(struct view *v, struct err *err)
{
	if (v->histograms)
		end_histograms(v);
	if (v->stacks && v->started)
		return view_stacks_end(v, err);
	return v->output == OUTPUT_REPORT && v->started ? view_reports_end(v, err) : 0;
}

bool view_full(const struct view *v)
{
	return v->max_entries && v->n_printed >= v->max_entries;
}

int view_flush(struct view *v)
{
	return out_flush(&v->out);
}

uint64_t view_unwritten(const struct view *v)
{
	return v->out.unwritten;
}
