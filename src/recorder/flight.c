// SPDX-License-Identifier: Apache-2.0
#include "recorder/flight.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "recorder/file.h"
#include "recorder/recent.h"

#define PER_CONTAINER (1u << 20)
#define BUDGET (64u << 20)
#define FLOOR (16u << 10)

/* A record in a ring; its bytes follow. */
struct block {
	uint64_t time; /* boot clock */
	uint32_t source;
	uint32_t unused;
};

struct flight_ring {
	TAILQ_ENTRY(flight_ring) link;
	struct container *container; /* NULL: the host */
	uint64_t key;
	bool ended;
	struct recent blocks;
	uint64_t lost; /* of all sources */
	struct flight_count {
		uint64_t came, lost;
	} counts[]; /* of each source */
};
TAILQ_HEAD(flight_rings, flight_ring);

struct flight {
	struct flight_options o;
	struct flight_source {
		struct schema *schema;
		enum source_kind kind;
	} * sources;
	size_t n_sources, room_sources;
	struct flight_ring **by_slot; /* the newest of each slot */
	size_t n_slots;
	struct flight_rings live, ended; /* oldest, and oldest end, first */
	size_t bytes;			 /* allocated by all rings */
	size_t bound;			 /* of one ring now */
	bool over;			 /* at the floor, and said so */
};

static uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

__attribute__((format(printf, 2, 3))) static void say(const struct flight *f, const char *fmt, ...)
{
	char text[300];
	va_list args;

	if (!f->o.say)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	f->o.say(f->o.ctx, text);
}

/* ---- life ------------------------------------------------------------------------ */

static int check(const struct flight_options *o, struct err *err)
{
	size_t per_container = o->per_container ?: PER_CONTAINER, budget = o->budget ?: BUDGET;

	if (per_container < FLIGHT_LEAST)
		return err_set(err, -EINVAL, "a container's ring has at least %d bytes, not %zu",
			       FLIGHT_LEAST, per_container);
	if (budget < per_container)
		return err_set(err, -EINVAL,
			       "a budget of %zu bytes has no room for a container's ring of %zu",
			       budget, per_container);
	return 0;
}

int flight_new(const struct flight_options *o, struct flight **ret, struct err *err)
{
	int code = check(o, err);
	struct flight *f;

	if (code)
		return code;
	f = xnew(struct flight);
	f->o = *o;
	f->o.per_container = (o->per_container ?: PER_CONTAINER) & ~(size_t)7;
	f->o.budget = o->budget ?: BUDGET;
	f->o.floor = (o->floor ?: FLOOR) & ~(size_t)7;
	if (f->o.floor > f->o.per_container)
		f->o.floor = f->o.per_container;
	f->bound = f->o.per_container;
	TAILQ_INIT(&f->live);
	TAILQ_INIT(&f->ended);
	*ret = f;
	return 0;
}

void flight_source(struct flight *f, const struct gadget_source *s)
{
	*grow(&f->sources, &f->n_sources, &f->room_sources) =
		(struct flight_source){schema_ref(s->schema), s->kind};
}

static struct flight_rings *list_of(struct flight *f, const struct flight_ring *r)
{
	return r->ended ? &f->ended : &f->live;
}

static void ring_free(struct flight *f, struct flight_ring *r)
{
	uint32_t slot = container_slot(r->key);

	if (slot < f->n_slots && f->by_slot[slot] == r)
		f->by_slot[slot] = NULL;
	TAILQ_REMOVE(list_of(f, r), r, link);
	f->bytes -= r->blocks.room;
	recent_done(&r->blocks);
	container_unref(r->container);
	free(r);
}

struct flight *flight_free(struct flight *f)
{
	if (!f)
		return NULL;
	while (!TAILQ_EMPTY(&f->live))
		ring_free(f, TAILQ_FIRST(&f->live));
	while (!TAILQ_EMPTY(&f->ended))
		ring_free(f, TAILQ_FIRST(&f->ended));
	for (size_t i = 0; i < f->n_sources; i++)
		schema_unref(f->sources[i].schema);
	free(f->sources);
	free(f->by_slot);
	free(f);
	return NULL;
}

/* ---- the budget ------------------------------------------------------------------ */

static void set_bound(struct flight *f, size_t bound)
{
	struct flight_ring *r;

	f->bound = bound;
	TAILQ_FOREACH(r, &f->live, link) {
		f->bytes -= r->blocks.room;
		recent_resize(&r->blocks, bound);
		f->bytes += r->blocks.room;
	}
}

static const char *name_of(const struct flight_ring *r)
{
	return r->container ? r->container->name : "(host)";
}

static void drop_ended(struct flight *f)
{
	struct flight_ring *r = TAILQ_FIRST(&f->ended);

	say(f, "over the budget of %zu bytes: what is recorded of %s, which ended first, is let go",
	    f->o.budget, name_of(r));
	ring_free(f, r);
}

static void halve(struct flight *f)
{
	size_t bound = (f->bound / 2) & ~(size_t)7;

	if (bound < f->o.floor)
		bound = f->o.floor;
	say(f, "over the budget of %zu bytes: each container has %zu bytes from here on",
	    f->o.budget, bound);
	set_bound(f, bound);
}

static void keep_budget(struct flight *f)
{
	while (f->bytes > f->o.budget && !TAILQ_EMPTY(&f->ended))
		drop_ended(f);
	while (f->bytes > f->o.budget && f->bound > f->o.floor)
		halve(f);
	if (f->bytes > f->o.budget && !f->over)
		say(f,
		    "over the budget of %zu bytes, with the least of %zu bytes for each container",
		    f->o.budget, f->bound);
	f->over = f->bytes > f->o.budget;
}

static size_t live_bytes(const struct flight *f)
{
	const struct flight_ring *r;
	size_t n = 0;

	TAILQ_FOREACH(r, &f->live, link)
		n += r->blocks.room;
	return n;
}

/*
 * Containers that went make room for the others' rings, but not at once for as long as it was too
 * much. Their own rings are no hindrance: they go first.
 */
static void use_budget(struct flight *f)
{
	size_t bound = f->bound * 2;

	if (f->bound == f->o.per_container || live_bytes(f) > f->o.budget / 2)
		return;
	if (bound > f->o.per_container)
		bound = f->o.per_container;
	say(f, "below the budget of %zu bytes: each container has %zu bytes from here on",
	    f->o.budget, bound);
	set_bound(f, bound);
}

/* ---- rings ----------------------------------------------------------------------- */

static void make_slots(struct flight *f, uint32_t slot)
{
	size_t n = f->n_slots ?: 16;

	while (n <= slot)
		n *= 2;
	if (n == f->n_slots)
		return;
	f->by_slot = xrealloc(f->by_slot, n, sizeof(struct flight_ring *));
	memset(f->by_slot + f->n_slots, 0, (n - f->n_slots) * sizeof(struct flight_ring *));
	f->n_slots = n;
}

static struct flight_ring *ring_new(struct flight *f, const struct container *c)
{
	struct flight_ring *r = xcalloc(1, sizeof(*r) + f->n_sources * sizeof(struct flight_count));

	r->key = c ? c->key : 0;
	r->container = c ? container_ref((struct container *)c) : NULL;
	r->ended = c && c->ended;
	recent_init(&r->blocks, f->bound);
	TAILQ_INSERT_TAIL(list_of(f, r), r, link);
	make_slots(f, container_slot(r->key));
	f->by_slot[container_slot(r->key)] = r;
	return r;
}

struct flight_ring *flight_find(const struct flight *f, uint64_t key)
{
	uint32_t slot = container_slot(key);
	struct flight_ring *r = slot < f->n_slots ? f->by_slot[slot] : NULL;

	if (r && r->key == key)
		return r;
	TAILQ_FOREACH(r, &f->ended, link) /* another container has its slot */
		if (r->key == key)
			return r;
	return NULL;
}

static struct flight_ring *ring_of(struct flight *f, const struct container *c)
{
	return flight_find(f, c ? c->key : 0) ?: ring_new(f, c);
}

void flight_close(struct flight *f, struct flight_ring *r)
{
	ring_free(f, r);
	use_budget(f);
}

/* ---- what comes ------------------------------------------------------------------ */

static uint64_t time_of(const struct flight *f, unsigned int source, const struct row *row)
{
	const struct schema *s = f->sources[source].schema;
	int64_t at = 0;

	if (s->time_field < 0 || !row_number(row, &s->fields[s->time_field], &at))
		return boot_now();
	return (uint64_t)at;
}

void flight_row(struct flight *f, unsigned int source, const struct row *row)
{
	struct flight_ring *r = ring_of(f, row->part[PART_CONTAINER]);
	uint32_t size = row->size[PART_RECORD];
	size_t before = r->blocks.room;
	struct block *b = recent_push(&r->blocks, (uint32_t)sizeof(*b) + size);

	if (!b) { /* it is longer than a ring may be */
		r->counts[source].lost++;
		r->lost++;
	} else {
		r->counts[source].came++;
		*b = (struct block){.time = time_of(f, source, row), .source = source};
		memcpy(b + 1, row->part[PART_RECORD], size);
	}
	f->bytes += r->blocks.room - before;
	if (r->blocks.room > before)
		keep_budget(f);
}

void flight_lost(struct flight *f, unsigned int source, const struct container *c, uint64_t count)
{
	struct flight_ring *r = ring_of(f, c);

	r->counts[source].lost += count;
	r->lost += count;
	recent_skip(&r->blocks, count);
}

void flight_ended(struct flight *f, const struct container *c)
{
	struct flight_ring *r = flight_find(f, c->key);

	if (!r || r->ended)
		return;
	TAILQ_REMOVE(&f->live, r, link);
	r->ended = true;
	TAILQ_INSERT_TAIL(&f->ended, r, link);
	use_budget(f);
}

/* ---- what is there --------------------------------------------------------------- */

size_t flight_bytes(const struct flight *f)
{
	return f->bytes;
}

size_t flight_bound(const struct flight *f)
{
	return f->bound;
}

void flight_each(const struct flight *f, void (*fn)(void *ctx, struct flight_ring *r), void *ctx)
{
	struct flight_ring *r, *next;

	for (r = TAILQ_FIRST(&f->live); r; r = next) {
		next = TAILQ_NEXT(r, link);
		fn(ctx, r);
	}
	for (r = TAILQ_FIRST(&f->ended); r; r = next) {
		next = TAILQ_NEXT(r, link);
		fn(ctx, r);
	}
}

struct times {
	uint64_t oldest, newest;
};

static void add_time(void *ctx, uint64_t number, const void *block, uint32_t size)
{
	const struct block *b = block;
	struct times *t = ctx;

	if (!t->oldest || b->time < t->oldest)
		t->oldest = b->time;
	if (b->time > t->newest)
		t->newest = b->time;
}

void flight_facts(const struct flight_ring *r, struct flight_facts *ret)
{
	uint64_t last = r->blocks.last;
	struct times t = {0};

	recent_each(&r->blocks, add_time, &t);
	*ret = (struct flight_facts){
		.container = r->container,
		.last = last,
		.kept = r->blocks.n,
		.lost = r->lost,
		.overwritten = last - r->lost - r->blocks.n,
		.bytes = r->blocks.room,
		.oldest = t.oldest,
		.newest = t.newest,
		.ended = r->ended,
	};
}

/* ---- a ring as a file ------------------------------------------------------------ */

struct entry {
	const struct block *block;
	uint64_t number;
	uint32_t size; /* of the record */
};

struct entries {
	struct entry *items;
	size_t n;
};

static void add_entry(void *ctx, uint64_t number, const void *block, uint32_t size)
{
	struct entries *all = ctx;

	all->items[all->n++] = (struct entry){block, number, size - (uint32_t)sizeof(struct block)};
}

/* Gadgets' rings are read one after the other: their records are near, but not in order. */
static int by_time(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->block->time != b->block->time)
		return a->block->time < b->block->time ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int write_rows(const struct flight_ring *r, struct record_writer *w,
		      const unsigned int *numbers, uint64_t *kept)
{
	struct entries all = {xnew_n(struct entry, r->blocks.n + 1), 0};
	int code = 0;

	recent_each(&r->blocks, add_entry, &all);
	qsort(all.items, all.n, sizeof(*all.items), by_time);
	for (size_t i = 0; !code && i < all.n; i++) {
		const struct entry *e = &all.items[i];
		const struct row row = container_row(r->container, e->block + 1, e->size, NULL);

		kept[e->block->source]++;
		code = record_writer_row_as(w, numbers[e->block->source], &row, e->number, false);
	}
	free(all.items);
	return code;
}

/* Overwritten ones are the discarded ones of the file. */
static int write_totals(const struct flight *f, const struct flight_ring *r,
			struct record_writer *w, const unsigned int *numbers, const uint64_t *kept)
{
	int code = 0;

	for (size_t i = 0; !code && i < f->n_sources; i++) {
		const struct flight_count *n = &r->counts[i];

		if (n->lost)
			code = record_writer_loss(w, numbers[i], r->container, n->lost);
		code = code
			       ?: record_writer_totals(w, numbers[i],
						       (struct record_totals){
							       n->came + n->lost,
							       kept[i],
							       n->came - kept[i],
							       n->lost,
						       });
	}
	return code;
}

int flight_write(const struct flight *f, const struct flight_ring *r, int fd,
		 const struct clock_base *clock, struct err *err)
{
	_cleanup_(freep) unsigned int *numbers = xnew_n(unsigned int, f->n_sources + 1);
	_cleanup_(freep) uint64_t *kept = xnew_n(uint64_t, f->n_sources + 1);
	struct record_writer *w = NULL;
	struct flight_facts facts;
	int code = record_writer_new(fd, clock, &w, err);

	for (size_t i = 0; !code && i < f->n_sources; i++)
		code = record_writer_source(w, f->sources[i].schema, f->sources[i].kind,
					    &numbers[i], err);
	code = code ?: write_rows(r, w, numbers, kept);
	code = code ?: write_totals(f, r, w, numbers, kept);
	flight_facts(r, &facts);
	code = code
		       ?: record_writer_ring(w, facts.container,
					     (struct record_ring){facts.last, facts.kept,
								  facts.overwritten, facts.lost});
	return record_writer_close(w, err) ?: code;
}
