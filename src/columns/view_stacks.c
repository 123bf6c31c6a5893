// SPDX-License-Identifier: Apache-2.0
/* Output modes of a view that add stacks up until the end: folded, flamegraph, pprof. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "columns/flamegraph.h"
#include "columns/view_internal.h"

struct view_stacks {
	enum output output;
	struct folded *folded; /* folded, flamegraph */
	struct pprof *pprof;
	char *value; /* what is added up; NULL: as the schema says */
};

bool view_stacks_wanted(enum output output)
{
	return output == OUTPUT_FOLDED || output == OUTPUT_FLAMEGRAPH || output == OUTPUT_PPROF;
}

int view_stacks_new(enum output output, const char *value, int fd, struct view_stacks **ret,
		    struct err *err)
{
	struct view_stacks *s;

	if (output == OUTPUT_PPROF && isatty(fd))
		return err_set(err, -EINVAL,
			       "-o pprof gives a packed file, not for a terminal: > profile.pb.gz");
	s = xnew(struct view_stacks);
	s->output = output;
	s->value = xstrdup(value);
	if (output == OUTPUT_PPROF)
		s->pprof = pprof_new();
	else
		s->folded = folded_new();
	*ret = s;
	return 0;
}

void view_stacks_free(struct view_stacks *s)
{
	if (!s)
		return;
	folded_free(s->folded);
	pprof_free(s->pprof);
	free(s->value);
	free(s);
}

static int bind(struct view_stacks *s, struct view_source *source, struct err *err)
{
	bool table = source->kind != VIEW_STREAM;
	int r;

	if (s->pprof)
		return pprof_plan(s->pprof, source->schema, table, s->value, &source->pprof, err);
	r = folded_plan(source->schema, table, s->value, &source->folded, err);
	source->folded.containers = s->output == OUTPUT_FLAMEGRAPH;
	return r;
}

/* Sources without stacks, and without the field that is to be added up, show nothing. */
int view_stacks_bind(struct view *v, struct err *err)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; v->stacks && i < v->n_sources; i++) {
		struct view_source *s = &v->sources[i];

		r = bind(v->stacks, s, err);
		s->stacks = !r;
		any |= s->stacks;
	}
	return any ? 0 : r;
}

bool view_stacks_row(struct view *v, struct view_source *s, const struct row *row)
{
	if (!s->stacks)
		return false;
	return v->stacks->pprof ? pprof_add(v->stacks->pprof, &s->pprof, row)
				: folded_add(v->stacks->folded, &s->folded, row);
}

static bool is_duration(const struct field *f)
{
	return f->type && !strcmp(f->type, "g_duration");
}

/* Titled by the gadgets; counted in what the first of them counts. */
static void print_flamegraph(struct view *v)
{
	_cleanup_(buf_done) struct buf title = {.max = 4096}, unit = {.max = 1024};
	const struct field *value = NULL;
	bool any = false;

	for (size_t i = 0; i < v->n_sources; i++) {
		const struct view_source *s = &v->sources[i];

		if (!s->stacks)
			continue;
		buf_printf(&title, "%s%s", any ? ", " : "", s->label);
		value = any ? value : s->folded.value;
		any = true;
	}
	buf_printf(&unit, "%s%s", value ? value->name : "rows",
		   value && is_duration(value) ? " ns" : "");
	flamegraph_print(v->stacks->folded, buf_cstr(&title), buf_cstr(&unit), &v->out.buf);
}

int view_stacks_end(struct view *v, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = 4096};
	struct view_stacks *s = v->stacks;
	unsigned long long refused = s->pprof ? pprof_refused(s->pprof) : folded_refused(s->folded);
	int r = 0;

	if (s->pprof)
		r = pprof_write(s->pprof, &v->out.buf);
	else if (s->output == OUTPUT_FLAMEGRAPH)
		print_flamegraph(v);
	else
		folded_print(s->folded, &v->out.buf);
	if (r || v->out.buf.failed)
		return err_set(err, -EFBIG, "the stacks are too many for one file");
	if (!refused)
		return 0;
	buf_printf(&text, "%llu rows were left out: their stacks are too many different ones",
		   refused);
	view_note(v, "", buf_cstr(&text));
	return 0;
}
