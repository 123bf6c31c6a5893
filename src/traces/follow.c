// SPDX-License-Identifier: Apache-2.0
/*
 * Following containers: each attachment's map of wanted ones, kept current. The kernel side adds
 * new containers to the map by itself, so that nothing is missed; here the selectors are asked, and
 * what none of them wants is taken out again.
 */
#include "traces/internal.h"

#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"

static const struct gadget_counters from_the_start;

static bool is_selected(const struct trace *t, const struct container *c)
{
	return !t->selector || selector_matches(t->selector, c);
}

static void tell_container(struct trace *t, bool in, struct container *c)
{
	if (t->reader.container)
		t->reader.container(t->reader.ctx, t, in, c);
}

/* Its ids are in the map while some tracer wants it. */
static void keep_mapped(struct attachment *a, struct track *k)
{
	if (!k->container)
		return;
	if (k->n_wanted) {
		containers_map_add(a->ts->containers, a->wanted_fd, k->container);
		prober_want(a->prober, k->container);
	} else {
		containers_map_remove(a->ts->containers, a->wanted_fd, k->container);
		prober_leave(a->prober, k->key);
	}
}

/* ---- tracks that end ------------------------------------------------------------- */

/* Its last record was read: final counters, and no trace of it left in kernel or here. */
static void container_gone(struct attachment *a, struct container *c)
{
	struct track *k = track_find(a, c->key);
	struct account_entry *e;

	if (!k)
		return;
	read_held(a, k);
	prober_leave(a->prober, k->key);
	if (k->n_wanted)
		containers_map_remove(a->ts->containers, a->wanted_fd, c);
	TAILQ_FOREACH(e, &k->shares, of_track) {
		read_loss_of(e, track_counted(a, k), true);
		if (e->wanted)
			tell_container(e->trace, false, c);
	}
	track_finish(a, k);
}

/*
 * A slot that has another container now, before the last one had its time: its records go out
 * first.
 */
static void clear_slot(struct attachment *a, uint32_t slot)
{
	struct track *k = track_at(a, slot);

	if (!k)
		return;
	if (a->ts->merge)
		merge_release_all(a->ts->merge);
	if (k->container)
		container_gone(a, k->container);
	else
		track_finish(a, k);
}

/* ---- tracks that begin ----------------------------------------------------------- */

/* The track of a container that is told of; NULL: it has no place, or its own already. */
static struct track *new_track(struct attachment *a, struct container *c)
{
	uint32_t slot = container_slot(c->key);
	struct track *k = track_find(a, c->key);
	struct account_entry *e;

	if (slot >= MAX_SLOTS || (k && k->container))
		return NULL;
	if (!k) {
		clear_slot(a, slot);
		return track_add(a, c->key, c);
	}
	k->container = container_ref(c); /* its records came before its name */
	a->ts->n_strays--;
	TAILQ_FOREACH(e, &k->shares, of_track)
		e->container = container_ref(c);
	return k;
}

/* Its names are not known yet: it is wanted until they are, and its records are held. */
static void container_found(struct attachment *a, struct container *c)
{
	struct track *k = new_track(a, c);

	if (!k)
		return;
	k->hold = hold_new(&a->ts->hold_room);
	for (size_t i = 0; i < a->n_tracers; i++) {
		struct account_entry *e =
			share_of(k, a->tracers[i])
				?: share_add(k, a->tracers[i], true, from_the_start);

		share_want(e, true);
		e->pending = true;
	}
	keep_mapped(a, k);
}

bool follow_selects(const struct account_entry *e)
{
	return is_selected(e->trace, e->track->container);
}

bool follow_decide(struct account_entry *e)
{
	struct trace *t = e->trace;
	struct track *k = e->track;

	e->pending = false;
	if (is_selected(t, k->container)) {
		share_want(e, true);
		t->n_wanted++;
		tell_container(t, true, k->container);
		return true;
	}
	/* What it did is no affair of this tracer's, unless something was given as the host's. */
	if (e->delivered || e->discarded || e->dropped)
		share_close(e, track_given(t->attachment, k));
	else
		share_drop(e);
	return false;
}

static void container_added(struct attachment *a, struct container *c)
{
	struct track *k = track_find(a, c->key);

	if (!k || !k->hold)
		k = new_track(a, c);
	if (!k)
		return;
	a->ts->naming.containers++;
	for (size_t i = 0; i < a->n_tracers; i++)
		follow_decide(share_of(k, a->tracers[i])
				      ?: share_add(k, a->tracers[i], true, from_the_start));
	keep_mapped(a, k);
	read_held(a, k);
}

/* ---- tracks that change ---------------------------------------------------------- */

void follow_leave(struct account_entry *e, struct gadget_counters now)
{
	struct track *k = e->track;
	struct attachment *a = e->trace->attachment;
	bool wanted = e->wanted;

	read_loss_of(e, now, false);
	share_close(e, now);
	if (wanted && !k->n_wanted)
		keep_mapped(a, k);
}

/* What it was wanted for, not knowing better, is known now. */
static void container_changed(struct attachment *a, struct container *c)
{
	struct track *k = track_find(a, c->key);
	struct account_entry *e, *next;

	for (e = k ? TAILQ_FIRST(&k->shares) : NULL; e; e = next) {
		struct trace *t = e->trace;

		next = TAILQ_NEXT(e, of_track);
		if (!e->wanted || e->pending || is_selected(t, c))
			continue;
		t->n_wanted -= !k->ended;
		follow_leave(e, track_given(a, k));
		tell_container(t, false, c);
	}
}

/* It is none: what it did, the host did. */
static void container_dropped(struct attachment *a, struct container *c)
{
	struct track *k = track_find(a, c->key);
	struct account_entry *e;

	if (!k)
		return;
	prober_leave(a->prober, k->key);
	k->container = container_unref(k->container);
	k->stray_until = a->ts->now + END_GRACE_NS;
	a->ts->n_strays++;
	TAILQ_FOREACH(e, &k->shares, of_track) {
		e->container = container_unref(e->container);
		e->pending = false;
		share_want(e, a->load.host);
	}
	read_held(a, k);
}

static void container_ended(struct attachment *a, struct container *c)
{
	struct track *k = track_find(a, c->key);
	struct account_entry *e;

	if (!k || k->ended)
		return;
	k->ended = true;
	prober_leave(a->prober, k->key);
	TAILQ_FOREACH(e, &k->shares, of_track)
		e->trace->n_wanted -= e->wanted;
}

void follow_event(void *ctx, enum container_event event, struct container *c)
{
	struct traces *ts = ctx;

	static void (*const react[])(struct attachment * a, struct container * c) = {
		[CONTAINER_FOUND] = container_found,	 [CONTAINER_ADDED] = container_added,
		[CONTAINER_CHANGED] = container_changed, [CONTAINER_DROPPED] = container_dropped,
		[CONTAINER_REMOVED] = container_ended,
	};

	for (size_t i = 0; i < ts->n_attachments; i++)
		react[event](ts->attachments[i], c);
	if (event == CONTAINER_REMOVED)
		*grow(&ts->endings, &ts->n_endings, &ts->room_endings) = (struct ending){
			container_ref(c), boot_now() + END_GRACE_NS + ts->window_ns};
}

/* ---- the end of containers ------------------------------------------------------- */

/*
 * Rows of it may wait in the sort window for another ring's, or in a table for the end of its
 * interval.
 */
static bool has_rows(const struct attachment *a, const struct ending *end)
{
	const struct track *k = track_find(a, end->container->key);

	if (!k)
		return false;
	if (k->waiting)
		return true;
	for (size_t i = 0; i < a->n_sources; i++)
		if (a->sources[i].kind == SOURCE_TOP && a->sources[i].taken < end->until)
			return true;
	return false;
}

static bool is_over(const struct traces *ts, const struct ending *end)
{
	if (ts->now < end->until)
		return false;
	for (size_t i = 0; i < ts->n_attachments; i++)
		if (has_rows(ts->attachments[i], end))
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
		for (size_t j = 0; j < ts->n_attachments; j++)
			container_gone(ts->attachments[j], end.container);
		containers_forget(ts->containers, end.container);
		container_unref(end.container);
	}
	ts->n_endings = kept;
}

void follow_strays(struct attachment *a)
{
	for (uint32_t slot = G_HOST + 1; a->ts->n_strays && slot < a->n_slots; slot++) {
		struct track *k = track_at(a, slot);

		if (k && !k->container && !k->waiting && k->stray_until < a->ts->now)
			track_finish(a, k);
	}
}

/* ---- those that are met ---------------------------------------------------------- */

/* A track of no container: its records are the host's. */
static struct track *nameless(struct attachment *a, uint64_t key)
{
	struct track *k = track_add(a, key, NULL);

	k->stray_until = a->ts->now + END_GRACE_NS;
	a->ts->n_strays += key != G_HOST;
	for (size_t i = 0; i < a->n_tracers; i++)
		share_add(k, a->tracers[i], a->load.host, from_the_start);
	return k;
}

/* A container that ended before anything was attached, and of which something comes. */
static struct track *late(struct attachment *a, struct container *c)
{
	struct track *k = track_add(a, c->key, c);

	k->ended = true;
	for (size_t i = 0; i < a->n_tracers; i++)
		if (is_selected(a->tracers[i], c))
			share_add(k, a->tracers[i], true, from_the_start);
	return k;
}

struct track *follow_unknown(struct attachment *a, uint64_t key)
{
	uint32_t slot = container_slot(key);
	struct container *c;
	struct track *k;

	if (key == G_HOST)
		return nameless(a, key);
	/*
	 * The detector may not have been read yet; finding a container publishes it, which makes
	 * its track.
	 */
	c = containers_find(a->ts->containers, key);
	k = track_find(a, key);
	if (k)
		return k;
	if (slot == G_HOST || slot >= MAX_SLOTS || track_at(a, slot))
		return &a->stray;
	return c ? late(a, c) : nameless(a, key);
}

/* ---- those that are known -------------------------------------------------------- */

static void add_known(void *ctx, struct container *c)
{
	struct attachment *a = ctx;
	struct track *k = new_track(a, c);

	if (k && c->pending)
		k->hold = hold_new(&a->ts->hold_room);
	a->ts->naming.containers += !c->pending;
}

void follow_known(struct attachment *a)
{
	containers_each(a->ts->containers, add_known, a);
}

static void join_container(void *ctx, struct container *c)
{
	struct trace *t = ctx;
	struct attachment *a = t->attachment;
	struct track *k = track_find(a, c->key);

	if (!k || k->ended || !(k->hold || is_selected(t, c)))
		return;
	share_add(k, t, true, track_given(a, k));
	if (k->n_wanted == 1)
		keep_mapped(a, k);
	if (k->hold)
		return;
	t->n_wanted++;
	tell_container(t, true, c);
}

void follow_join(struct trace *t)
{
	struct attachment *a = t->attachment;

	if (a->load.host && !track_at(a, G_HOST))
		nameless(a, G_HOST);
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		struct track *k = track_at(a, slot);

		if (k && !k->container && !share_of(k, t))
			share_add(k, t, a->load.host, track_given(a, k));
	}
	containers_each(a->ts->containers, join_container, t);
}
