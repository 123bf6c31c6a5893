// SPDX-License-Identifier: Apache-2.0
/*
 * When to look. While records come, the rings are read on a timer: waking us costs those who are
 * traced. When nothing came for a while, the programs are told to wake us by the next record or
 * loss (gadget_sleep()), and there is no timer but, once, that of the last losses.
 */
#include "traces/internal.h"

#define READ_INTERVAL_NS 25000000ull
/* At the start somebody waits for the first record. */
#define EAGER_INTERVAL_NS 3000000ull
#define EAGER_TIME_NS 250000000ull
#define LOSS_INTERVAL_NS 1000000000ull
#define QUIET_NS 100000000ull /* so long without a record we stay awake */

/* traces_dispatch() does at each wake-up what is to do. */
static void on_read_time(void *ctx)
{
}

static void on_loss_time(void *ctx)
{
	struct traces *ts = ctx;

	ts->loss_due = true;
}

static void stay_awake(struct traces *ts)
{
	uint64_t interval = ts->now < ts->eager_until ? EAGER_INTERVAL_NS : READ_INTERVAL_NS;

	for (size_t i = 0; ts->asleep && i < ts->n_attachments; i++)
		gadget_wake(ts->attachments[i]->gadget);
	ts->asleep = false;
	if (!ts->read_timer.reactor)
		timer_start(&ts->read_timer, ts->reactor, interval, on_read_time, ts);
	if (!ts->loss_timer.reactor)
		timer_start(&ts->loss_timer, ts->reactor, LOSS_INTERVAL_NS, on_loss_time, ts);
}

/* False: something has come, or may come without waking us. */
static bool fall_asleep(struct traces *ts)
{
	bool all = true;

	for (size_t i = 0; all && i < ts->n_attachments; i++)
		all = gadget_sleep(ts->attachments[i]->gadget);
	ts->asleep = true;
	if (all)
		timer_stop(&ts->read_timer); /* the one for losses comes once more */
	return all;
}

/* A program has rung: there is a record, or a loss. */
static bool was_woken(const struct traces *ts)
{
	for (size_t i = 0; ts->asleep && i < ts->n_attachments; i++)
		if (!gadget_sleeps(ts->attachments[i]->gadget))
			return true;
	return false;
}

/* Something ends after a time, without waking anybody. */
static bool is_waiting(const struct traces *ts)
{
	return (ts->n_endings && ts->endings[ts->n_endings - 1].until >= ts->now) ||
	       (ts->merge && merge_held(ts->merge)) || ts->n_strays;
}

void pace(struct traces *ts, bool active)
{
	active |= is_waiting(ts) || was_woken(ts);
	if (active)
		ts->active_at = ts->now;
	if (ts->asleep && !active)
		return;
	if (active || ts->now - ts->active_at < QUIET_NS || ts->now < ts->eager_until ||
	    !fall_asleep(ts))
		stay_awake(ts);
}

void pace_start(struct traces *ts)
{
	ts->now = ts->active_at = boot_now();
	ts->eager_until = ts->now + EAGER_TIME_NS;
	timer_stop(&ts->read_timer);
	stay_awake(ts);
}

/* ---- tables ---------------------------------------------------------------------- */

static void start_interval(struct attachment *a);

static void on_table_time(void *ctx)
{
	struct attachment *a = ctx;

	a->tables_due = true;
	start_interval(a);
}

/* By the clock, so that what a table takes is not added to each interval. */
static void start_interval(struct attachment *a)
{
	uint64_t now = boot_now();

	a->tables_at += a->interval_ns;
	if (a->tables_at < now)
		a->tables_at = now + a->interval_ns;
	timer_start(&a->table_timer, a->ts->reactor, a->tables_at - now, on_table_time, a);
}

void pace_tables(struct attachment *a)
{
	a->tables_at = boot_now();
	start_interval(a);
}
