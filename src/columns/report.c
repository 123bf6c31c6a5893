// SPDX-License-Identifier: Apache-2.0
/* Reports by their names, and those of a view: from its rows to the documents at its end. */
#include "columns/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/view_internal.h"

const struct report *report_find(const char *gadget)
{
	for_each_registered(ig_reports, r)
		if (gadget && !strcmp((*r)->gadget, gadget))
			return *r;
	return NULL;
}

const struct report_mode *report_mode(const struct report *r, const char *name)
{
	for (const struct report_mode *m = r->modes; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

const struct report_option *report_option(const struct report *r, const char *name)
{
	for (const struct report_option *o = r->options; o && o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

bool report_mode_known(const char *name)
{
	for_each_registered(ig_reports, r)
		if (report_mode(*r, name))
			return true;
	return false;
}

/* ---- of a view ----------------------------------------------------------------------------- */

/* One for all sources of a gadget, however often that runs. */
struct view_report {
	const struct report *report;
	void *state;
	uint64_t lost;
	struct err failure; /* of its first row that failed; code 0: none */
};

/* Ones that are shown by default. */
static bool all_have_reports(const struct view *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		const struct report *r = report_find(v->sources[i].schema->gadget);

		if (!r || r->on_request)
			return false;
	}
	return true;
}

static int check_options(const struct view *v, struct err *err)
{
	for (size_t i = 0; i < v->report_options.n; i++) {
		const char *name = v->report_options.items[i].key;
		bool known = false;

		if (v->output != OUTPUT_REPORT)
			return err_set(err, -EINVAL, "--%s is for a report, not for a list of rows",
				       name);
		for (size_t k = 0; k < v->n_reports; k++)
			known |= report_option(v->reports[k].report, name) != NULL;
		if (!known)
			return err_set(err, -EINVAL, "--%s: no report here has that option", name);
	}
	return 0;
}

static int open_report(struct view *v, struct view_source *s, struct err *err)
{
	const struct report *report = report_find(s->schema->gadget);
	const char *mode = v->report_mode;
	struct view_report *to;
	int r;

	if (!report || (mode && !report_mode(report, mode)))
		return err_set(err, -EINVAL, "%s has no output mode '%s'",
			       s->schema->gadget ?: s->schema->name, mode ?: "");
	for (s->report = 0; s->report < v->n_reports; s->report++)
		if (v->reports[s->report].report == report)
			return 0;
	to = grow(&v->reports, &v->n_reports, &v->room_reports);
	to->report = report;
	r = report->open(mode ?: report->modes->name, &v->report_options, &to->state, err);
	if (!r && report->so_far)
		report->so_far(to->state, &v->out.buf);
	return r;
}

int view_reports_start(struct view *v, struct err *err)
{
	int r = 0;

	if (v->output_default && all_have_reports(v))
		v->output = OUTPUT_REPORT;
	for (size_t i = 0; !r && v->output == OUTPUT_REPORT && i < v->n_sources; i++)
		r = open_report(v, &v->sources[i], err);
	return r ?: check_options(v, err);
}

/* What follows the first row that failed is not looked at: the document would be wrong anyway. */
bool view_report_row(struct view *v, struct view_source *s, const struct row *row)
{
	struct view_report *to = &v->reports[s->report];
	struct row timed = *row;

	if (to->failure.code)
		return false;
	timed.clock = row_clock(row, &v->clock);
	to->report->row(to->state, s->schema, &timed, &to->failure);
	if (!to->failure.code && to->report->so_far)
		to->report->so_far(to->state, &v->out.buf);
	return !to->failure.code;
}

bool view_reports_flow(const struct view *v)
{
	for (size_t i = 0; i < v->n_reports; i++)
		if (v->reports[i].report->so_far)
			return true;
	return false;
}

void view_lost(struct view *v, unsigned int source, uint64_t count)
{
	if (v->output == OUTPUT_REPORT && source < v->n_sources)
		v->reports[v->sources[source].report].lost += count;
}

int view_reports_end(struct view *v, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < v->n_reports; i++) {
		struct view_report *from = &v->reports[i];
		_cleanup_(buf_done) struct buf document = {.max = MAX_REPORT_BYTES};

		r = from->failure.code;
		if (r && err)
			*err = from->failure;
		r = r ?: from->report->write(from->state, from->lost, &document, err);
		if (!r && document.failed)
			r = err_set(err, -EFBIG, "the report is longer than %u bytes",
				    MAX_REPORT_BYTES);
		if (!r)
			buf_add(&v->out.buf, document.data, document.len);
	}
	return r;
}

void view_reports_done(struct view *v)
{
	for (size_t i = 0; i < v->n_reports; i++)
		v->reports[i].report->close(v->reports[i].state);
	free(v->reports);
	labels_done(&v->report_options);
	free(v->report_mode);
}
