// SPDX-License-Identifier: Apache-2.0
#include "columns/histogram.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/arena.h"
#include "columns/format_internal.h"
#include "columns/types.h"

struct histogram {
	char *title; /* keys, name, unit */
	g_log2 counts;
};

struct histograms {
	void *tree; /* of struct histogram (tsearch(3)) */
	struct arena arena;
	struct buf keys, title; /* of the row at hand */
	uint64_t refused;
};

/* ---- which fields --------------------------------------------------------------------------- */

static bool is_histogram(const struct field *f)
{
	return f->kind == KIND_NONE && f->format->type && !strcmp(f->format->type, "g_histogram");
}

int histogram_plan_make(const struct schema *s, const struct selection *selected,
			struct histogram_plan *ret, struct err *err)
{
	struct histogram_plan plan = {
		.keys = xnew_n(const struct field *, selected->n),
		.histograms = xnew_n(const struct field *, selected->n),
	};

	for (size_t i = 0; i < selected->n; i++) {
		const struct field *f = selected->columns[i];

		if (is_histogram(f))
			plan.histograms[plan.n_histograms++] = f;
		else if (f->part == PART_CONTAINER || f->flags & FIELD_KEY)
			plan.keys[plan.n_keys++] = f;
	}
	if (!plan.n_histograms) {
		histogram_plan_done(&plan);
		return err_set(err, -ENOENT, "-o histogram: no histogram is shown of %s",
			       s->gadget ?: s->name);
	}
	*ret = plan;
	return 0;
}

void histogram_plan_done(struct histogram_plan *p)
{
	free(p->keys);
	free(p->histograms);
	*p = (struct histogram_plan){0};
}

/* ---- sums ----------------------------------------------------------------------------------- */

struct histograms *histograms_new(void)
{
	struct histograms *h = xnew(struct histograms);

	buf_init(&h->keys, MAX_RECORD_BYTES);
	buf_init(&h->title, 2 * MAX_RECORD_BYTES);
	return h;
}

static void keep(void *histogram)
{
	/* the arena has it */
}

void histograms_clear(struct histograms *h)
{
	tdestroy(h->tree, keep);
	h->tree = NULL;
	arena_done(&h->arena);
}

struct histograms *histograms_free(struct histograms *h)
{
	if (!h)
		return NULL;
	histograms_clear(h);
	buf_done(&h->keys);
	buf_done(&h->title);
	free(h);
	return NULL;
}

static int by_title(const void *a, const void *b)
{
	return strcmp(((const struct histogram *)a)->title, ((const struct histogram *)b)->title);
}

/* NULL: there is no room for a new one. */
static struct histogram *find(struct histograms *h)
{
	struct histogram search = {.title = (char *)buf_cstr(&h->title)}, **found;

	found = tfind(&search, &h->tree, by_title);
	if (!found && h->arena.bytes + h->title.len < MAX_HISTOGRAM_BYTES) {
		struct histogram *new = arena_alloc(&h->arena, sizeof(*new));

		*new = (struct histogram){.title = arena_strdup(&h->arena, search.title)};
		found = tsearch(new, &h->tree, by_title);
	}
	return found ? *found : NULL;
}

static void make_keys(struct histograms *h, const struct histogram_plan *plan,
		      const struct row *row, const struct clock_base *clock)
{
	buf_clear(&h->keys);
	for (size_t i = 0; i < plan->n_keys; i++) {
		const struct field *f = plan->keys[i];
		const char *dot = strrchr(f->name, '.');
		size_t start = h->keys.len, value;

		buf_printf(&h->keys, "%s%s=", start ? " " : "", dot ? dot + 1 : f->name);
		value = h->keys.len;
		field_text(f, row, clock, &h->keys);
		if (h->keys.len == value) /* nothing to tell, as a pod's name of what is in none */
			h->keys.len = start;
	}
	buf_cstr(&h->keys);
}

static void make_title(struct histograms *h, const struct field *f, g_unit unit)
{
	const char *name = unit_name(unit);

	buf_clear(&h->title);
	buf_add(&h->title, h->keys.data, h->keys.len);
	buf_printf(&h->title, "%s%s", h->keys.len ? ": " : "", f->name);
	if (*name)
		buf_printf(&h->title, " (%s)", name);
	buf_cstr(&h->title);
}

bool histograms_add(struct histograms *h, const struct histogram_plan *plan, const struct row *row,
		    const struct clock_base *clock)
{
	bool added = true;

	make_keys(h, plan, row, clock);
	for (size_t i = 0; i < plan->n_histograms; i++) {
		struct g_histogram from;
		struct histogram *to;

		if (!histogram_read(plan->histograms[i], row, &from))
			continue;
		make_title(h, plan->histograms[i], from.unit);
		to = find(h);
		added &= !!to;
		for (size_t slot = 0; to && slot < G_LOG2_SLOTS; slot++)
			if (__builtin_add_overflow(to->counts[slot], from.data[slot],
						   &to->counts[slot]))
				to->counts[slot] = UINT64_MAX;
	}
	h->refused += !added;
	return added;
}

uint64_t histograms_refused(const struct histograms *h)
{
	return h->refused;
}

/* ---- drawing -------------------------------------------------------------------------------- */

enum { RANGE_WIDTH = 21, COUNT_WIDTH = 11, BAR_MIN = 10, BAR_MAX = 50 };

struct drawing {
	struct buf *out;
	unsigned int bar; /* columns of the longest */
};

static void draw_slot(const struct drawing *d, size_t slot, uint64_t count, uint64_t most)
{
	unsigned int stars = (unsigned int)((unsigned __int128)count * d->bar / most);
	char range[48];

	snprintf(range, sizeof(range), "%llu..%llu", slot ? 1ull << slot : 0, (2ull << slot) - 1);
	buf_printf(d->out, "%*s %*llu |", RANGE_WIDTH, range, COUNT_WIDTH,
		   (unsigned long long)count);
	for (unsigned int i = 0; i < d->bar; i++)
		buf_char(d->out, i < stars ? '*' : ' ');
	buf_str(d->out, "|\n");
}

static void draw(const void *node, VISIT visit, void *ctx)
{
	const struct histogram *h = *(const struct histogram *const *)node;
	uint64_t most = 0, sum = 0;
	const struct drawing *d = ctx;
	size_t first = G_LOG2_SLOTS, end = 0;

	if (visit != postorder && visit != leaf)
		return;
	for (size_t i = 0; i < G_LOG2_SLOTS; i++) {
		if (!h->counts[i])
			continue;
		first = i < first ? i : first;
		end = i + 1;
		most = h->counts[i] > most ? h->counts[i] : most;
		sum += h->counts[i];
	}
	if (!most)
		return;
	buf_printf(d->out, "%s, %llu value%s\n", h->title, (unsigned long long)sum,
		   sum == 1 ? "" : "s");
	for (size_t i = first; i < end; i++)
		draw_slot(d, i, h->counts[i], most);
	buf_char(d->out, '\n');
}

void histograms_draw(const struct histograms *h, unsigned int columns, struct buf *out)
{
	const unsigned int around = RANGE_WIDTH + COUNT_WIDTH + 4; /* blanks and bars */
	struct drawing d = {.out = out, .bar = BAR_MAX};

	if (columns && columns < around + BAR_MAX)
		d.bar = columns > around + BAR_MIN ? columns - around : BAR_MIN;
	twalk_r(h->tree, draw, &d);
}
