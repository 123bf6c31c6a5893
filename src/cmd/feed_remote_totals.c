// SPDX-License-Identifier: Apache-2.0
/* What became of the records: as the daemons count it, less what was discarded here. */
#include <string.h>

#include "base/mem.h"
#include "cmd/feed_remote.h"

void far_discard(struct far *r, const struct container *c)
{
	discards_add(&r->discarded, !c ? 0 : r->node->node ? c->node_key : c->key);
}

void far_take_back(struct feed *feed, size_t tracer, const struct container *c, const char *node)
{
	struct far_feed *f = far_of(feed);

	for (size_t i = 0; i < f->n_nodes; i++) {
		struct far *r = far_at(f, i, tracer);
		const struct cluster_node *n = r->node->node;

		if (n && node && strcmp(n->name, node) != 0)
			continue;
		r->taken--;
		far_discard(r, c);
		return;
	}
}

/* As the daemon has it, and then what was discarded here of what it delivered. */
static struct totals less(struct totals n, uint64_t discarded)
{
	if (discarded > n.delivered)
		discarded = n.delivered;
	n.delivered -= discarded;
	n.discarded += discarded;
	return n;
}

static struct totals add(struct totals a, struct totals b)
{
	return (struct totals){a.seen + b.seen, a.delivered + b.delivered,
			       a.discarded + b.discarded, a.lost + b.lost};
}

static struct totals totals_of(const struct far *r)
{
	uint64_t lost = r->run ? remote_run_missed(r->run) : 0, difference;
	struct totals n = {r->taken + r->discarded.total + lost, r->taken, r->discarded.total,
			   lost};

	if (r->run && remote_run_totals(r->run, &n, &difference))
		n = less(n, r->discarded.total);
	return add(r->earlier, n);
}

void far_begin_anew(struct far *r)
{
	r->earlier = totals_of(r);
	r->run = remote_run_free(r->run);
	r->taken = r->told = 0;
	discards_done(&r->discarded);
	r->ended = r->refused = false;
	r->failure = (struct err){0};
}

struct totals far_totals(const struct feed *feed, size_t tracer)
{
	struct far_feed *f = far_of(feed);
	struct totals sum = {0};

	for (size_t i = 0; i < f->n_nodes; i++)
		sum = add(sum, totals_of(far_at(f, i, tracer)));
	return sum;
}

uint64_t far_unaccounted(const struct feed *feed, size_t tracer)
{
	struct far_feed *f = far_of(feed);
	uint64_t sum = 0;

	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct far *r = far_at(f, i, tracer);
		uint64_t difference = 0;
		struct totals n;

		if (r->run)
			remote_run_totals(r->run, &n, &difference);
		sum += difference;
	}
	return sum;
}

struct each {
	struct far *far;
	void (*fn)(void *ctx, const char *name, struct totals n);
	void *ctx;
	uint64_t rest; /* of what was discarded: of containers that have no line of their own */
};

/* What a line is of: a container, or none. Else it is of earlier ones, which are not named. */
static bool is_own(const char *name, uint64_t key)
{
	return key || !*name;
}

static void take_own(void *ctx, const char *name, uint64_t key, struct totals n)
{
	struct each *e = ctx;
	uint64_t own = is_own(name, key) ? discards_of(&e->far->discarded, key) : 0;

	e->rest -= own < e->rest ? own : e->rest; /* a daemon may repeat a line */
}

/* A cluster's containers are told apart by their nodes. */
static void give_total(void *ctx, const char *name, uint64_t key, struct totals n)
{
	struct each *e = ctx;
	const struct cluster_node *node = e->far->node->node;
	_cleanup_(freep) char *whole =
		node ? xasprintf("%s/%s", node->name, *name ? name : "(no container)") : NULL;

	if (is_own(name, key)) {
		n = less(n, discards_of(&e->far->discarded, key));
	} else {
		uint64_t before = n.delivered;

		n = less(n, e->rest);
		e->rest -= before - n.delivered;
	}
	e->fn(e->ctx, whole ? whole : *name ? name : NULL, n);
}

void far_each_total(const struct feed *feed, size_t tracer,
		    void (*fn)(void *ctx, const char *name, struct totals n), void *ctx)
{
	struct far_feed *f = far_of(feed);

	for (size_t i = 0; i < f->n_nodes; i++) {
		struct far *r = far_at(f, i, tracer);
		struct each e = {r, fn, ctx, r->discarded.total};

		if (!r->run)
			continue;
		remote_run_each_total(r->run, take_own, &e);
		remote_run_each_total(r->run, give_total, &e);
	}
}
