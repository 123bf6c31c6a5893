// SPDX-License-Identifier: Apache-2.0
/* Rings one by one: made, looked up, read, closed. */
#include "traceloop/internal.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "traceloop/print.h"

/* ---- life ------------------------------------------------------------------------ */

struct tracelet *tracelet_new(struct traceloop *t, uint64_t key, struct container *c)
{
	struct tracelet *l = xnew(struct tracelet);

	l->id = t->last_id++;
	snprintf(l->trace_id, sizeof(l->trace_id), "%016llx",
		 (unsigned long long)(t->trace_ids + l->id));
	l->key = key;
	l->created = c && c->started_boot_ns ? c->started_boot_ns : loop_now();
	if (c) {
		l->container = container_ref(c);
		l->cgroup_id = c->cgroup_id;
	}
	l->ring = loop_kernel_claim(t->kernel, key);
	TAILQ_INSERT_TAIL(&t->tracelets, l, link);
	t->n_tracelets++;
	traceloop_make_room(t);
	return l;
}

/* Nobody writes into its ring from now on, but who is about to. */
static void stop_recording(struct traceloop *t, struct tracelet *l)
{
	int wanted = loop_kernel_wanted_fd(t->kernel);

	if (l->container)
		containers_map_remove(t->containers, wanted, l->container);
	else
		bpf_map_delete_elem(wanted, &l->cgroup_id);
}

void tracelet_close(struct traceloop *t, struct tracelet *l)
{
	stop_recording(t, l);
	tracelet_let_go(t, l);
	loop_kernel_release(t->kernel, l->key, loop_now());
	TAILQ_REMOVE(&t->tracelets, l, link);
	t->n_tracelets--;
	container_unref(l->container);
	free(l->name);
	free(l->cgroup_path);
	free(l);
	traceloop_tidy_later(t);
}

struct tracelet *tracelet_of(struct traceloop *t, uint64_t key)
{
	struct tracelet *l;

	TAILQ_FOREACH_REVERSE(l, &t->tracelets, tracelets, link)
		if (l->key == key)
			return l;
	return NULL;
}

/* ---- cgroups that were added ----------------------------------------------------- */

static int add_container(struct traceloop *t, struct container *c, uint64_t *ret_id,
			 struct err *err)
{
	struct tracelet *l = tracelet_of(t, c->key);

	if (l)
		return err_set(err, -EEXIST, "it is recorded as id %llu",
			       (unsigned long long)l->id);
	l = tracelet_new(t, c->key, c);
	l->is_shown = true;
	containers_map_add(t->containers, loop_kernel_wanted_fd(t->kernel), c);
	*ret_id = l->id;
	return 0;
}

static struct tracelet *added_cgroup(struct traceloop *t, uint64_t cgroup_id)
{
	struct tracelet *l;

	TAILQ_FOREACH(l, &t->tracelets, link)
		if (!l->container && l->cgroup_id == cgroup_id)
			return l;
	return NULL;
}

/* Keys of such cgroups have slots behind the containers', and a new generation each time. */
static uint64_t added_key(struct traceloop *t)
{
	uint64_t n = t->last_added++, room = LOOP_SLOTS - G_SLOTS;

	return (n / room + 1) << 32 | (G_SLOTS + n % room);
}

int traceloop_add(struct traceloop *t, const char *cgroup_path, const char *name, uint64_t *ret_id,
		  struct err *err)
{
	uint64_t cgroup = containers_cgroup_id(t->containers, cgroup_path), key;
	int wanted = loop_kernel_wanted_fd(t->kernel), r;
	struct container *c = NULL;
	struct tracelet *l;

	if (!cgroup)
		return err_set(err, -ENOENT, "no cgroup '%s'", cgroup_path);
	if (!bpf_map_lookup_elem(containers_all_fd(t->containers), &cgroup, &key))
		c = containers_find(t->containers, key);
	if (c)
		return add_container(t, c, ret_id, err);
	l = added_cgroup(t, cgroup);
	if (l)
		return err_set(err, -EEXIST, "it is recorded as id %llu",
			       (unsigned long long)l->id);
	l = tracelet_new(t, added_key(t), NULL);
	l->cgroup_id = cgroup;
	l->cgroup_path = xstrdup(cgroup_path);
	l->name = xstrdup(name);
	l->is_shown = true;
	r = containers_map_add_cgroup(t->containers, wanted, cgroup, l->key);
	if (r) {
		tracelet_close(t, l);
		return err_set(err, r, "recording '%s': %s", cgroup_path, strerror(-r));
	}
	*ret_id = l->id;
	return 0;
}

/* ---- facts ----------------------------------------------------------------------- */

static int64_t real(const struct traceloop *t, uint64_t boot_ns)
{
	return boot_ns ? (int64_t)boot_ns + t->clock.boot_to_real_ns : 0;
}

static const char *name_of(const struct tracelet *l)
{
	const struct container *c = l->container;

	if (!c)
		return l->name;
	return c->k8s_container ?: c->name;
}

void tracelet_facts(const struct traceloop *t, const struct tracelet *l, struct tracelet_facts *ret)
{
	*ret = (struct tracelet_facts){
		.id = l->id,
		.trace_id = l->trace_id,
		.name = name_of(l),
		.cgroup_path = l->container ? l->container->cgroup_path : l->cgroup_path,
		.cgroup_id = l->cgroup_id,
		.container = l->container,
		.index = l->index,
		.ended = l->ended,
		.created_ns = real(t, l->created),
		.deleted_ns = real(t, l->ended),
	};
}

/* ---- look-ups -------------------------------------------------------------------- */

void traceloop_each(struct traceloop *t, void (*fn)(void *ctx, struct tracelet *l), void *ctx)
{
	struct tracelet *l, *next;

	traceloop_notice_gone(t);
	for (l = TAILQ_FIRST(&t->tracelets); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->is_shown)
			fn(ctx, l);
	}
}

/* What is looked for; what is not said is NULL. */
struct wish {
	const uint64_t *id, *cgroup_id;
	const char *trace_id, *name, *cgroup_path;
	const char *namespace_, *pod;
	int64_t index;
};

static bool is_in_pod(const struct tracelet *l, const struct wish *w)
{
	const struct container *c = l->container;

	return c && str_equal(c->k8s_pod, w->pod) && str_equal(c->k8s_namespace, w->namespace_) &&
	       (w->index < 0 || l->index == w->index);
}

static bool has_name(const struct tracelet *l, const char *name)
{
	return str_equal(name_of(l), name) || (l->container && str_equal(l->container->name, name));
}

static bool is_meant(const struct tracelet *l, const struct wish *w)
{
	const char *path = l->container ? l->container->cgroup_path : l->cgroup_path;

	return l->is_shown && (!w->id || l->id == *w->id) &&
	       (!w->trace_id || !strcmp(l->trace_id, w->trace_id)) &&
	       (!w->name || has_name(l, w->name)) &&
	       (!w->cgroup_id || l->cgroup_id == *w->cgroup_id) &&
	       (!w->cgroup_path || str_equal(path, w->cgroup_path)) && (!w->pod || is_in_pod(l, w));
}

static struct tracelet *find(struct traceloop *t, const struct wish *w)
{
	struct tracelet *l, *ended = NULL;

	TAILQ_FOREACH_REVERSE(l, &t->tracelets, tracelets, link) {
		if (!is_meant(l, w))
			continue;
		if (!l->ended)
			return l;
		ended = ended ?: l;
	}
	return ended;
}

struct tracelet *traceloop_by_id(struct traceloop *t, uint64_t id)
{
	return find(t, &(struct wish){.id = &id});
}

struct tracelet *traceloop_by_trace_id(struct traceloop *t, const char *trace_id)
{
	return find(t, &(struct wish){.trace_id = trace_id});
}

struct tracelet *traceloop_by_name(struct traceloop *t, const char *name)
{
	return find(t, &(struct wish){.name = name});
}

struct tracelet *traceloop_by_cgroup(struct traceloop *t, const char *path_or_id)
{
	uint64_t id;

	if (!parse_u64(path_or_id, &id))
		return find(t, &(struct wish){.cgroup_id = &id});
	id = containers_cgroup_id(t->containers, path_or_id);
	return id ? find(t, &(struct wish){.cgroup_id = &id})
		  : find(t, &(struct wish){.cgroup_path = path_or_id}); /* it is gone */
}

struct tracelet *traceloop_by_pod(struct traceloop *t, const char *namespace_, const char *pod,
				  int64_t index)
{
	return find(t, &(struct wish){.namespace_ = namespace_, .pod = pod, .index = index});
}

/* ---- what they hold -------------------------------------------------------------- */

void tracelet_read(struct traceloop *t, struct tracelet *l, struct loop_dump *ret)
{
	unsigned int cpus = loop_kernel_cpus(t->kernel);
	_cleanup_(freep) struct lane_copy *lanes = xnew_n(struct lane_copy, cpus);

	int r;

	if (!l->ring) /* it came when none was ready */
		l->ring = loop_kernel_claim(t->kernel, l->key);
	r = l->ring ? loop_kernel_hold(t->kernel, l->ring) : -ENOENT;
	for (unsigned int i = 0; !r && i < cpus; i++)
		lane_copy(loop_kernel_lane(t->kernel, l->ring, i),
			  loop_kernel_lane_bytes(t->kernel), &lanes[i]);
	if (!r)
		loop_kernel_let_go(t->kernel, l->ring);
	else if (r != -ENOENT)
		t->warn(t->warn_ctx, "a ring of traceloop cannot be read: no memory");
	loop_dump_make(lanes, r ? 0 : cpus, ret);
	ret->counts.lost += loop_kernel_missed(t->kernel, l->key);
}

int tracelet_dump(struct traceloop *t, struct tracelet *l, enum tracelet_format format,
		  struct buf *out)
{
	struct loop_dump d;

	tracelet_read(t, l, &d);
	if (format == TRACELET_JSON) {
		loop_print_json(&d, &loop_whole, &t->clock, l->container, out);
		loop_print_counts_json(&d.counts, out);
	} else {
		loop_print_text(&d, &loop_whole, &t->clock, out);
		loop_print_counts_text(&d.counts, out);
	}
	loop_dump_done(&d);
	return out->failed ? -EFBIG : 0;
}
