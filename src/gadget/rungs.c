// SPDX-License-Identifier: Apache-2.0
/*
 * Ladders of hooks. Kernels differ in their hooks; a gadget may offer several programs for one
 * purpose, tagged RUNG(group, n): those with the lowest n of which this kernel has all hooks are
 * loaded. Programs tagged OPTIONAL are left out where their hook is missing, those tagged
 * WHEN(parameter) where that is not set.
 */
#include "gadget/run.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "gadget/describe.h"
#include "gadget/fit.h"
#include "gadget/kernel_btf.h"
#include "gadget/libbpf_log.h"

#define MAX_PROGRAMS 256

struct rung {
	struct bpf_program *prog;
	const struct hook *hook;
	const char *target;
	char *group; /* NULL: no ladder */
	uint64_t n;
	const char *when; /* parameter; NULL: always */
	bool chosen;	  /* by its parameter, if it has one */
	bool optional, exists, used;
};

struct ladder {
	struct rung *rungs;
	size_t n;
};

static void ladder_done(struct ladder *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->rungs[i].group);
	free(l->rungs);
}

const char *object_tag(const struct bpf_object *object, uint32_t kind, const char *name,
		       const char *prefix)
{
	const struct btf *btf = bpf_object__btf(object);

	for (uint32_t id = 1; btf && id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id), *on;
		const char *tag, *its_name;

		if (!btf_is_decl_tag(t) || btf_decl_tag(t)->component_idx != -1)
			continue;
		on = btf__type_by_id(btf, t->type);
		tag = btf__name_by_offset(btf, t->name_off);
		if (!on || btf_kind(on) != kind || !tag || !str_starts(tag, prefix))
			continue;
		its_name = btf__name_by_offset(btf, on->name_off);
		if (its_name && !strcmp(its_name, name))
			return tag + strlen(prefix);
	}
	return NULL;
}

const char *program_tag(const struct bpf_object *object, const struct bpf_program *p,
			const char *prefix)
{
	return object_tag(object, BTF_KIND_FUNC, bpf_program__name(p), prefix);
}

/* "GROUP:N" */
static int parse_rung(struct rung *r, const char *tag)
{
	const char *colon = strrchr(tag, ':');

	if (!colon || colon == tag || parse_u64(colon + 1, &r->n))
		return -EINVAL;
	r->group = xstrndup(tag, colon - tag);
	return 0;
}

static int read_rungs(struct bpf_object *object, struct ladder *l, const char *gadget,
		      struct err *err)
{
	struct bpf_program *p;

	l->rungs = xnew_n(struct rung, MAX_PROGRAMS);
	bpf_object__for_each_program(p, object) {
		struct rung *r = &l->rungs[l->n];
		const char *tag = program_tag(object, p, "rung:");

		if (l->n == MAX_PROGRAMS)
			return err_set(err, -E2BIG, "%s: more than %d programs", gadget,
				       MAX_PROGRAMS);
		l->n++;
		r->prog = p;
		r->hook = hook_find(bpf_program__section_name(p), &r->target);
		r->optional = program_tag(object, p, "optional") != NULL;
		r->when = program_tag(object, p, "when:");
		r->chosen = true;
		if (tag && parse_rung(r, tag))
			return err_set(err, -EBADMSG, "%s: program %s has a bad tag 'rung:%s'",
				       gadget, bpf_program__name(p), tag);
	}
	return 0;
}

/* The kernel has its hook, and what else it needs. */
static bool stands(const struct bpf_object *object, const struct rung *r, int tracefs)
{
	const char *needs = program_tag(object, r->prog, "needs:");

	return hook_exists(r->hook, r->target, tracefs) > 0 &&
	       (!needs || kernel_btf_has_name(needs));
}

/* Every program of this rung has its hook. */
static bool rung_stands(const struct ladder *l, const char *group, uint64_t n)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct rung *r = &l->rungs[i];

		if (r->group && r->n == n && !strcmp(r->group, group) && !r->exists)
			return false;
	}
	return true;
}

/* The lowest rung of the group that stands; false: none does. */
static bool best_rung(const struct ladder *l, const char *group, uint64_t *ret)
{
	bool found = false;
	uint64_t best = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct rung *r = &l->rungs[i];

		if (!r->group || strcmp(r->group, group) || (found && r->n >= best) ||
		    !rung_stands(l, group, r->n))
			continue;
		best = r->n;
		found = true;
	}
	if (found)
		*ret = best;
	return found;
}

/* No way leads to the purpose that the program serves, and the gadget needs it. */
static bool is_missing(const struct ladder *l, const struct rung *r)
{
	uint64_t best;

	if (r->optional || !r->chosen)
		return false;
	return r->group ? !best_rung(l, r->group, &best) : !r->exists;
}

static void choose(struct ladder *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct rung *r = &l->rungs[i];
		uint64_t best = r->n;

		r->used = r->exists && r->chosen && (!r->group || best_rung(l, r->group, &best)) &&
			  r->n == best;
	}
}

static int lacks(const struct rung *r, const char *gadget, struct err *err)
{
	return err_set(err, -ENOTSUP, "%s needs %s %s, which this kernel lacks", gadget,
		       hook_word(r->hook), r->target);
}

/* Only for a hook that somebody asked for is the kernel asked, which may be dear. */
static void look_for_hooks(struct ladder *l, const struct bpf_object *object,
			   const struct gadget *g, int tracefs)
{
	for (size_t i = 0; i < l->n; i++) {
		struct rung *r = &l->rungs[i];

		r->chosen = !r->when || param_is_true(g, r->when);
		/* Where it is dear to know and nothing depends on it, attaching will tell. */
		r->exists = true;
		if (r->chosen && (hook_is_cheap(r->hook) || r->optional || r->group))
			r->exists = stands(object, r, tracefs);
	}
}

int rungs_choose(struct bpf_object *object, const struct gadget *g, struct err *err)
{
	_cleanup_(ladder_done) struct ladder l = {};
	_cleanup_(closep) int tracefs = tracefs_open();
	int rc = read_rungs(object, &l, g->name, err);

	if (rc)
		return rc;
	look_for_hooks(&l, object, g, tracefs);
	choose(&l);
	for (size_t i = 0; i < l.n; i++) {
		const struct rung *r = &l.rungs[i];

		if (is_missing(&l, r)) {
			if (r->group || tracefs >= 0)
				return lacks(r, g->name, err);
			return geteuid() ? load_needs_root(g->name, err)
					 : err_set(err, -EPERM, "%s: tracefs cannot be opened",
						   g->name);
		}
		if (!r->used)
			bpf_program__set_autoload(r->prog, false);
	}
	return 0;
}

/* ---- for people -------------------------------------------------------------------------- */

static void objectp(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static struct bpf_object *open_silently(const struct gadget *g)
{
	struct bpf_object *object;
	struct libbpf_log log;

	libbpf_log_begin(&log);
	object = bpf_object__open_mem(g->elf, g->elf_size, NULL);
	libbpf_log_end(&log);
	return object;
}

int gadget_each_program(const struct gadget *g, bool here, gadget_program_fn *fn, void *ctx,
			struct err *err)
{
	_cleanup_(objectp) struct bpf_object *object = open_silently(g);
	_cleanup_(closep) int tracefs = here ? tracefs_open() : -1;
	_cleanup_(ladder_done) struct ladder l = {};
	int rc;

	if (!object)
		return err_set(err, -EBADMSG, "%s: cannot be opened", g->name);
	rc = read_rungs(object, &l, g->name, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < l.n; i++)
		l.rungs[i].exists = !here || stands(object, &l.rungs[i], tracefs);
	choose(&l);
	for (size_t i = 0; i < l.n; i++) {
		const struct rung *r = &l.rungs[i];
		struct gadget_program p = {
			.name = bpf_program__name(r->prog),
			.hook = hook_word(r->hook),
			.target = r->target,
			.group = r->group,
			.rung = r->n,
			.optional = r->optional || r->when,
			.cannot_tell = program_tag(object, r->prog, "cannot:"),
			.exists = r->exists,
			.used = r->used,
		};

		if (!describe_text(p.name, false) || !describe_text(p.target, false) ||
		    (p.group && !describe_text(p.group, false)) ||
		    (p.cannot_tell && !describe_text(p.cannot_tell, false)))
			return err_set(err, -EBADMSG,
				       "%s: a program's words have control characters", g->name);
		fn(ctx, &p);
	}
	return 0;
}
