// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of runc and crun, by whomever they are run, from the state that these keep on disk.
 * crun's has no annotations: they are in the bundle's config.json.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/bundle.h"
#include "containers/proc.h"
#include "containers/state.h"

static void fill(struct container *c, struct found_state *f, const struct clues *clues)
{
	struct oci_state *s = &f->state;
	size_t own = state_own_cgroup(s, c->cgroup_path);

	if (!c->id)
		c->id = take(f->id);
	if (!c->runtime)
		c->runtime = xstrdup(f->runtime);
	if (!c->bundle)
		c->bundle = take(s->bundle);
	bundle_take_annotations(c, s);
	/* Only the first process that we saw, of a container whose first process runs. */
	if (s->pid != clues->pid && clues->pid == c->pid) {
		c->pid = s->pid;
		c->started_boot_ns = proc_ticks_to_ns(s->start_ticks);
	}
	if (own) /* its first process may have gone into one below */
		c->cgroup_path[own] = '\0';
}

static void name_image(struct container *c)
{
	if (!c->image_name)
		c->image_name =
			xstrdup(container_annotation(c, "org.opencontainers.image.ref.name"));
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	struct found_state f;
	bool has_annotations;

	if (!states_find(ctx->states, c, clues, &f)) {
		if (clues->parent.bundle && !c->bundle)
			c->bundle = xstrdup(clues->parent.bundle);
		name_image(c);
		return false;
	}
	has_annotations = f.state.annotations.n;
	fill(c, &f, clues);
	found_state_done(&f);
	if (!has_annotations)
		bundle_read(ctx, c);
	name_image(c);
	return true;
}

static void list(const struct runtime_context *ctx, runtime_list_fn *fn, void *arg)
{
	states_each(ctx->states, fn, arg);
}

static const struct runtime plain = {"runc", 10, resolve, list, NULL};
RUNTIME(&plain);
