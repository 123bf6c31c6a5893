// SPDX-License-Identifier: Apache-2.0
/*
 * Following containers: each tracer's map of wanted ones, kept current. The kernel side adds new
 * containers to the map by itself, so that nothing is missed; here the selector is asked, and what
 * it does not want is taken out again.
 */
#include "traces/internal.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"

static void finish_entry(struct trace *t, uint32_t slot)
{
	account_finish(&t->account, slot, gadget_counters(t->gadget, slot));
	gadget_counters_reset(t->gadget, slot);
}

/* Its last record was read: final counters, and no trace of it left in kernel or here. */
static void container_gone(struct trace *t, struct container *c)
{
	struct account_entry *e = account_find(&t->account, c->key);

	if (!e)
		return;
	read_held(t, e);
	if (e->wanted)
		containers_map_remove(t->ts->containers, t->wanted_fd, c);
	read_loss_of(t, e, true);
	if (e->wanted && t->reader.container)
		t->reader.container(t->reader.ctx, t, false, c);
	finish_entry(t, container_slot(c->key));
}

/*
 * A slot that has another container now, before the last one had its time: its records go out
 * first.
 */
static void clear_slot(struct trace *t, uint32_t slot)
{
	struct account_entry *e = account_at(&t->account, slot);

	if (!e)
		return;
	if (t->ts->merge)
		merge_release_all(t->ts->merge);
	if (e->container)
		container_gone(t, e->container);
	else
		finish_entry(t, slot);
}

/* The entry of a container that the tracer is told of; NULL: it has no place, or its own already.
 */
static struct account_entry *new_entry(struct trace *t, struct container *c)
{
	uint32_t slot = container_slot(c->key);
	struct account_entry *e = account_find(&t->account, c->key);

	if (slot >= MAX_SLOTS || (e && e->container))
		return NULL;
	if (e) { /* its records came before its name */
		e->container = container_ref(c);
		return e;
	}
	clear_slot(t, slot);
	return account_add(&t->account, c->key, c, true);
}

static bool is_selected(const struct trace *t, const struct container *c)
{
	return !t->selector || selector_matches(t->selector, c);
}

/* Its names are not known yet: it is wanted until they are, and its records are held. */
static void container_found(struct trace *t, struct container *c)
{
	struct account_entry *e = new_entry(t, c);

	if (!e)
		return;
	e->wanted = true;
	e->hold = hold_new(&t->ts->hold_room);
	containers_map_add(t->ts->containers, t->wanted_fd, c);
}

static void container_added(struct trace *t, struct container *c)
{
	struct account_entry *e = account_find(&t->account, c->key);

	if (!e || !e->hold)
		e = new_entry(t, c);
	if (!e)
		return;
	t->ts->naming.containers++;
	e->wanted = is_selected(t, c);
	if (!e->wanted) {
		containers_map_remove(t->ts->containers, t->wanted_fd, c);
		read_held(t, e);
		return;
	}
	containers_map_add(t->ts->containers, t->wanted_fd, c);
	t->n_wanted++;
	if (t->reader.container)
		t->reader.container(t->reader.ctx, t, true, c);
	read_held(t, e);
}

/* What it was wanted for, not knowing better, is known now. */
static void container_changed(struct trace *t, struct container *c)
{
	struct account_entry *e = account_find(&t->account, c->key);

	if (!e || !e->wanted || is_selected(t, c))
		return;
	e->wanted = false;
	t->n_wanted -= !e->ended;
	containers_map_remove(t->ts->containers, t->wanted_fd, c);
	if (t->reader.container)
		t->reader.container(t->reader.ctx, t, false, c);
}

/* It is none: what it did, the host did. */
static void container_dropped(struct trace *t, struct container *c)
{
	struct account_entry *e = account_find(&t->account, c->key);

	if (!e)
		return;
	e->container = container_unref(e->container);
	e->wanted = t->host;
	e->stray_until = t->ts->now + END_GRACE_NS;
	read_held(t, e);
}

static void container_ended(struct trace *t, struct container *c)
{
	struct account_entry *e = account_find(&t->account, c->key);

	if (!e || e->ended)
		return;
	e->ended = true;
	if (e->wanted)
		t->n_wanted--;
}

void follow_event(void *ctx, enum container_event event, struct container *c)
{
	struct traces *ts = ctx;

	static void (*const react[])(struct trace * t, struct container * c) = {
		[CONTAINER_FOUND] = container_found,	 [CONTAINER_ADDED] = container_added,
		[CONTAINER_CHANGED] = container_changed, [CONTAINER_DROPPED] = container_dropped,
		[CONTAINER_REMOVED] = container_ended,
	};

	for (size_t i = 0; i < ts->n_traces; i++)
		react[event](ts->traces[i], c);
	if (event == CONTAINER_REMOVED)
		*grow(&ts->endings, &ts->n_endings, &ts->room_endings) = (struct ending){
			container_ref(c), boot_now() + END_GRACE_NS + ts->window_ns};
}

/*
 * Rows of it may wait in the sort window for another ring's, or in a table for the end of its
 * interval.
 */
static bool has_rows(const struct trace *t, const struct ending *end)
{
	const struct account_entry *e = account_find(&t->account, end->container->key);

	if (!e)
		return false;
	if (e->held)
		return true;
	for (size_t i = 0; i < t->n_sources; i++)
		if (t->sources[i].kind == SOURCE_TOP && t->sources[i].taken < end->until)
			return true;
	return false;
}

static bool is_over(const struct traces *ts, const struct ending *end)
{
	if (ts->now < end->until)
		return false;
	for (size_t i = 0; i < ts->n_traces; i++)
		if (has_rows(ts->traces[i], end))
			return false;
	return true;
}

void follow_endings(struct traces *ts, bool all)
{
	size_t kept = 0, n = ts->n_endings;

	for (size_t i = 0; i < n; i++) {
		struct ending end = ts->endings[i];

		if (!all && !is_over(ts, &end)) {
			ts->endings[kept++] = end;
			continue;
		}
		for (size_t j = 0; j < ts->n_traces; j++)
			container_gone(ts->traces[j], end.container);
		containers_forget(ts->containers, end.container);
		container_unref(end.container);
	}
	ts->n_endings = kept;
}

void follow_strays(struct trace *t)
{
	for (uint32_t slot = G_HOST + 1; slot < t->account.n_slots; slot++) {
		const struct account_entry *e = account_at(&t->account, slot);

		if (e && !e->container && !e->held && e->stray_until < t->ts->now)
			finish_entry(t, slot);
	}
}

struct account_entry *follow_unknown(struct trace *t, uint64_t key)
{
	struct account *a = &t->account;
	uint32_t slot = container_slot(key);
	struct account_entry *e;
	struct container *c;

	if (key == G_HOST)
		return account_find(a, key) ?: account_add(a, G_HOST, NULL, t->host);
	/*
	 * The detector may not have been read yet; finding a container publishes it, which makes
	 * its entry.
	 */
	c = containers_find(t->ts->containers, key);
	e = account_find(a, key);
	if (e)
		return e;
	if (slot == G_HOST || slot >= MAX_SLOTS || account_at(a, slot))
		return &a->stray;
	if (c) { /* it ended before this tracer came */
		e = account_add(a, key, c, is_selected(t, c));
		e->ended = true;
		return e;
	}
	e = account_add(a, key, NULL, t->host); /* it was taken for a container's, and is not */
	e->stray_until = t->ts->now + END_GRACE_NS;
	return e;
}

static void add_known(void *ctx, struct container *c)
{
	if (c->pending)
		container_found(ctx, c);
	else
		container_added(ctx, c);
}

int follow_start(struct trace *t, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	int r;

	t->wanted_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "g_wanted", sizeof(__u64),
				      sizeof(g_container), MAX_CGROUPS, &o);
	if (t->wanted_fd < 0)
		return err_set(err, t->wanted_fd, "making the map of wanted containers: %s",
			       strerror(-t->wanted_fd));
	/* First the kernel adds what comes, then we what is there: nothing falls between. */
	r = containers_attach_map(t->ts->containers, t->wanted_fd, err);
	if (r < 0)
		return r;
	t->mapped = true;
	containers_each(t->ts->containers, add_known, t);
	return 0;
}
