// SPDX-License-Identifier: Apache-2.0
/* What is new in a ring, for one who follows it. */
#include "traceloop/internal.h"

#include <errno.h>

#include "base/buf.h"
#include "traceloop/print.h"

/*
 * A record gets its time before it is written, and lanes are read one after the other: what is
 * younger than this waits for the next time, when nothing older can come any more.
 */
#define SETTLED_NS 1000000ull

static uint64_t written(const struct traceloop *t, const struct tracelet *l)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < loop_kernel_cpus(t->kernel); i++)
		n += __atomic_load_n(&loop_kernel_lane(t->kernel, l->ring, i)->seq,
				     __ATOMIC_RELAXED);
	return n;
}

/* Records of the window, and those that were overwritten before they could be told. */
static struct loop_counts count(const struct loop_dump *d, const struct followed *f, uint64_t until)
{
	struct loop_counts n = {.lost = d->counts.lost - f->lost};
	uint64_t by_then = d->counts.overwritten;

	for (size_t i = 0; i < d->n_events; i++) {
		uint64_t time = d->events[i].record->time;

		by_then += time <= until;
		n.kept += time <= until && time > f->until;
	}
	n.overwritten = by_then > f->told + n.kept ? by_then - f->told - n.kept : 0;
	return n;
}

static void say_counts(struct followed *f, enum tracelet_format format, bool last, struct buf *out)
{
	bool gone = f->since.overwritten || f->since.lost;

	if (!gone && !(last && format == TRACELET_JSON))
		return;
	if (format == TRACELET_JSON)
		loop_print_counts_json(&f->since, out);
	else
		loop_print_counts_text(&f->since, out);
	f->since = (struct loop_counts){0};
}

void tracelet_let_go(struct traceloop *t, struct tracelet *l)
{
	if (l->followed.held)
		loop_kernel_let_go(t->kernel, l->ring);
	l->followed.held = false;
}

int tracelet_follow(struct traceloop *t, struct tracelet *l, enum tracelet_format format, bool last,
		    struct buf *out)
{
	struct followed *f = &l->followed;
	const struct loop_window w = {f->until, last ? UINT64_MAX : loop_now() - SETTLED_NS, last};
	struct loop_counts n;
	struct loop_dump d;

	if (l->ring && !f->held)
		f->held = !loop_kernel_hold(t->kernel, l->ring);
	if (!last && f->held && written(t, l) == f->told)
		return 0;
	tracelet_read(t, l, &d);
	if (last)
		tracelet_let_go(t, l);
	n = count(&d, f, w.until);
	f->since.kept += n.kept;
	f->since.overwritten += n.overwritten;
	f->since.lost += n.lost;
	f->told += n.kept + n.overwritten;
	f->lost += n.lost;
	f->until = w.until;
	if (format == TRACELET_JSON)
		loop_print_json(&d, &w, &t->clock, l->container, out);
	say_counts(f, format, last, out);
	if (format == TRACELET_TEXT)
		loop_print_text(&d, &w, &t->clock, out);
	loop_dump_done(&d);
	return out->failed ? -EFBIG : 0;
}
