// SPDX-License-Identifier: Apache-2.0
#include "traceloop/dump.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- order of time --------------------------------------------------------------- */

/* Each lane is in order by itself: the lane with the oldest first record is next. */
static int next_lane(const struct loop_dump *d, const size_t *at)
{
	int best = -1;

	for (unsigned int i = 0; i < d->n_lanes; i++) {
		const struct lane_copy *l = &d->lanes[i];

		if (at[i] < l->n &&
		    (best < 0 || l->records[at[i]]->time < d->lanes[best].records[at[best]]->time))
			best = (int)i;
	}
	return best;
}

static void merge_lanes(struct loop_dump *d)
{
	_cleanup_(freep) size_t *at = xnew_n(size_t, d->n_lanes + 1);
	int lane;

	while ((lane = next_lane(d, at)) >= 0)
		d->events[d->n_events++] = (struct loop_event){
			.record = d->lanes[lane].records[at[lane]++], .cpu = (unsigned int)lane};
}

/* ---- entry and exit -------------------------------------------------------------- */

/* Thread -> the call that it is in: open addressing, with more places than there are events. */
struct in_call {
	uint32_t tid;  /* 0: free */
	uint32_t call; /* + 1; 0: in none */
};

static struct in_call *find_thread(struct in_call *threads, size_t mask, uint32_t tid)
{
	size_t i = tid * 2654435761u & mask;

	while (threads[i].tid && threads[i].tid != tid)
		i = (i + 1) & mask;
	threads[i].tid = tid;
	return &threads[i];
}

static void join_event(struct loop_dump *d, size_t i, struct in_call *t)
{
	struct loop_event *e = &d->events[i];
	struct loop_call_made *c;

	if (e->record->kind == LOOP_EXIT && t->call) {
		e->call = t->call - 1;
		c = &d->calls[e->call];
		c->exit = (const void *)e->record;
		c->joined = i && d->events[i - 1].record == &c->enter->record;
		t->call = 0;
		return;
	}
	e->call = (uint32_t)d->n_calls;
	c = &d->calls[d->n_calls++];
	c->cpu = e->cpu;
	if (e->record->kind == LOOP_EXIT) {
		c->exit = (const void *)e->record;
		return;
	}
	c->enter = (const void *)e->record;
	t->call = (uint32_t)d->n_calls;
}

static void join_events(struct loop_dump *d)
{
	_cleanup_(freep) struct in_call *threads = NULL;
	size_t mask = 1;

	while (mask < d->n_events * 2)
		mask *= 2;
	threads = xnew_n(struct in_call, mask);
	mask--;
	for (size_t i = 0; i < d->n_events; i++)
		join_event(d, i, find_thread(threads, mask, d->events[i].record->tid));
}

void loop_dump_make(struct lane_copy *lanes, unsigned int n_lanes, struct loop_dump *ret)
{
	struct loop_dump d = {.lanes = xnew_n(struct lane_copy, n_lanes), .n_lanes = n_lanes};
	size_t n = 0;

	for (unsigned int i = 0; i < n_lanes; i++) {
		d.lanes[i] = lanes[i];
		d.counts.kept += lanes[i].counts.kept;
		d.counts.overwritten += lanes[i].counts.overwritten;
		d.counts.lost += lanes[i].counts.lost;
		n += lanes[i].n;
	}
	d.events = xnew_n(struct loop_event, n + 1);
	d.calls = xnew_n(struct loop_call_made, n + 1);
	merge_lanes(&d);
	join_events(&d);
	*ret = d;
}

void loop_dump_done(struct loop_dump *d)
{
	for (unsigned int i = 0; i < d->n_lanes; i++)
		lane_copy_done(&d->lanes[i]);
	free(d->lanes);
	free(d->events);
	free(d->calls);
	*d = (struct loop_dump){0};
}

/* ---- calls ----------------------------------------------------------------------- */

const struct loop_record *call_record(const struct loop_call_made *c)
{
	return c->enter ? &c->enter->record : &c->exit->record;
}

const struct syscall *call_syscall(const struct loop_call_made *c)
{
	return syscall_find(call_record(c)->nr);
}

bool call_failed(const struct loop_call_made *c)
{
	return c->exit && c->exit->ret < 0 && c->exit->ret >= -4095;
}

bool call_never_returns(const struct loop_call_made *c)
{
	const struct syscall *s = call_syscall(c);

	return s && (!strcmp(s->name, "exit") || !strcmp(s->name, "exit_group"));
}

unsigned int call_n_args(const struct loop_call_made *c, const struct syscall *s)
{
	if (s)
		return syscall_n_args(s);
	return c->enter ? c->enter->record.n_args : 0;
}

static const struct loop_part *part_of(const struct loop_record *r, unsigned int arg)
{
	for (const struct loop_part *p = record_part(r, NULL); p; p = record_part(r, p))
		if (p->arg == arg && !(p->flags & LOOP_PART_FAILED))
			return p;
	return NULL;
}

/* What could not be read at the entry was tried again at the exit. */
static const struct loop_part *find_part(const struct loop_call_made *c, unsigned int arg,
					 bool returned)
{
	const struct loop_part *p = c->enter ? part_of(&c->enter->record, arg) : NULL;

	return p || !returned || !c->exit ? p : part_of(&c->exit->record, arg);
}

bool call_value(const struct loop_call_made *c, const struct syscall *s, unsigned int index,
		bool returned, struct value *ret)
{
	unsigned int n = c->enter ? c->enter->record.n_args : 0;
	const struct loop_part *p = find_part(c, index, returned);

	*ret = (struct value){
		.call = s,
		.index = index,
		.bytes = p ? (const void *)(p + 1) : NULL,
		.size = p ? p->size : 0,
		.whole = p ? p->whole : 0,
		.cut = p && p->flags & LOOP_PART_CUT,
		.returned = returned && c->exit,
		.failed = call_failed(c),
		.ret = c->exit ? c->exit->ret : 0,
	};
	if (n)
		memcpy(ret->args, c->enter->args, n * sizeof(*ret->args));
	return p || index < n;
}
