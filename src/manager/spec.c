// SPDX-License-Identifier: Apache-2.0
#include "manager/spec.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/container.h"

#define GADGET_PREFIX "operator.oci.ebpf."

void run_spec_copy(struct run_spec *to, const struct run_spec *from)
{
	*to = (struct run_spec){.image = xstrdup(from->image), .timeout_ns = from->timeout_ns};
	for (size_t i = 0; i < from->params.n; i++)
		labels_add(&to->params, from->params.items[i].key, from->params.items[i].value);
}

void run_spec_done(struct run_spec *s)
{
	free(s->image);
	labels_done(&s->params);
	*s = (struct run_spec){0};
}

char *run_spec_gadget(const char *image)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;

	return xstrndup(name, strcspn(name, ":@"));
}

/* ---- values ---------------------------------------------------------------------- */

struct draft {
	struct run_plan *plan;
	struct selector_options selector;
};

typedef int set_fn(struct draft *d, size_t at, const char *value);

static int set_text(struct draft *d, size_t at, const char *value)
{
	*(const char **)((char *)d + at) = *value ? value : NULL;
	return 0;
}

static int set_bool(struct draft *d, size_t at, const char *value)
{
	return parse_bool(value, (bool *)((char *)d + at));
}

static int set_plan_text(struct draft *d, size_t at, const char *value)
{
	*(const char **)((char *)d->plan + at) = *value ? value : NULL;
	return 0;
}

static int set_plan_bool(struct draft *d, size_t at, const char *value)
{
	return parse_bool(value, (bool *)((char *)d->plan + at));
}

static int set_plan_duration(struct draft *d, size_t at, const char *value)
{
	return parse_duration(value, (uint64_t *)((char *)d->plan + at));
}

static int set_plan_bytes(struct draft *d, size_t at, const char *value)
{
	return parse_bytes(value, (uint64_t *)((char *)d->plan + at));
}

static int set_plan_id(struct draft *d, size_t at, const char *value)
{
	uint64_t id;
	int r = parse_u64(value, &id);

	if (r || id > UINT32_MAX)
		return -EINVAL;
	*(int64_t *)((char *)d->plan + at) = (int64_t)id;
	return 0;
}

static int set_comm(struct draft *d, size_t at, const char *value)
{
	char *comm = d->plan->load.process.comm;

	if (strlen(value) >= sizeof(d->plan->load.process.comm))
		return -EINVAL;
	strncpy(comm, value, sizeof(d->plan->load.process.comm) - 1);
	return 0;
}

/* A client that asks for all namespaces asks for no namespace. */
static int set_all_namespaces(struct draft *d, size_t at, const char *value)
{
	bool all = false;
	int r = parse_bool(value, &all);

	if (all)
		d->selector.namespace_ = NULL;
	return r;
}

/* ---- keys ------------------------------------------------------------------------ */

#define SELECTOR(member) set_text, offsetof(struct draft, selector.member)
#define PLAN(fn, member) fn, offsetof(struct run_plan, member)

/* In this order they are applied. */
static const struct key {
	const char *name;
	set_fn *set;
	size_t at;
} keys[] = {
	{"operator.LocalManager.containername", SELECTOR(container_name)},
	{"operator.LocalManager.runtime-containername", SELECTOR(container_name)},
	{"operator.LocalManager.k8s-namespace", SELECTOR(namespace_)},
	{"operator.LocalManager.k8s-podname", SELECTOR(pod)},
	{"operator.LocalManager.k8s-containername", SELECTOR(container_name)},
	{"operator.LocalManager.k8s-selector", SELECTOR(labels)},
	{"operator.LocalManager.host", PLAN(set_plan_bool, load.host)},
	{"operator.KubeManager.containername", SELECTOR(container_name)},
	{"operator.KubeManager.namespace", SELECTOR(namespace_)},
	{"operator.KubeManager.podname", SELECTOR(pod)},
	{"operator.KubeManager.selector", SELECTOR(labels)},
	{"operator.KubeManager.all-namespaces", set_all_namespaces, 0},
	{"operator.ig.containername", SELECTOR(container_name)},
	{"operator.ig.containerid", SELECTOR(container_id)},
	{"operator.ig.image", SELECTOR(image)},
	{"operator.ig.annotation", SELECTOR(annotations)},
	{"operator.ig.namespace", SELECTOR(namespace_)},
	{"operator.ig.podname", SELECTOR(pod)},
	{"operator.ig.selector", SELECTOR(labels)},
	{"operator.ig.sandboxes", set_bool, offsetof(struct draft, selector.sandboxes)},
	{"operator.ig.host", PLAN(set_plan_bool, load.host)},
	{"operator.ig.pid", PLAN(set_plan_id, load.process.pid)},
	{"operator.ig.tid", PLAN(set_plan_id, load.process.tid)},
	{"operator.ig.uid", PLAN(set_plan_id, load.process.uid)},
	{"operator.ig.gid", PLAN(set_plan_id, load.process.gid)},
	{"operator.ig.comm", set_comm, 0},
	{"operator.ig.buffer-size", PLAN(set_plan_bytes, load.buffer_bytes)},
	{"operator.ig.interval", PLAN(set_plan_duration, interval_ns)},
	{"operator.oci.ebpf.map-fetch-interval", PLAN(set_plan_duration, interval_ns)},
	{"operator.ig.tracer", PLAN(set_plan_text, tracer)},
};

/* Parameters that the ecosystem's clients give to every gadget, and that ours have no use for. */
static const char *const everywhere[] = {"map-fetch-interval", "map-fetch-count", "iface",
					 "trace-pipe",	       "no-attach",	  "collect-kstack",
					 "collect-ustack",     "collect-build-id"};

static bool is_everywhere(const char *name)
{
	for (size_t i = 0; i < array_size(everywhere); i++)
		if (!strcmp(everywhere[i], name))
			return true;
	return false;
}

static int apply_key(struct draft *d, const struct key *k, const struct labels *params,
		     struct err *err)
{
	const char *value = labels_get(params, k->name);

	if (!value || (!*value && k->set != set_text && k->set != set_plan_text))
		return 0;
	if (k->set(d, k->at, value))
		return err_set(err, -EINVAL, "'%s' is not a value of %s", value, k->name);
	return 0;
}

static int apply_gadget_params(struct gadget *g, const struct labels *params, struct err *err)
{
	for (size_t i = 0; i < params->n; i++) {
		const struct label *p = &params->items[i];
		const char *name = p->key + strlen(GADGET_PREFIX);
		int r;

		if (!str_starts(p->key, GADGET_PREFIX) || is_everywhere(name))
			continue;
		r = gadget_set(g, name, p->value, err);
		if (r)
			return r;
	}
	return 0;
}

int run_plan_make(const struct run_spec *s, struct run_plan *ret, struct err *err)
{
	const struct gadget_open_options o = {.enrich = container_add_fields};
	_cleanup_(freep) char *name = run_spec_gadget(s->image ?: "");
	struct run_plan plan = {0};
	struct draft d = {.plan = &plan};
	int r = 0;

	if (!*name)
		return err_set(err, -EINVAL, "no gadget is named");
	gadget_load_options_init(&plan.load);
	for (size_t i = 0; !r && i < array_size(keys); i++)
		r = apply_key(&d, &keys[i], &s->params, err);
	r = r ?: gadget_open_builtin(name, &o, &plan.gadget, err);
	r = r ?: apply_gadget_params(plan.gadget, &s->params, err);
	r = r ?: selector_new(&d.selector, &plan.selector, err);
	if (r)
		run_plan_done(&plan);
	else
		*ret = plan;
	return r;
}

void run_plan_done(struct run_plan *p)
{
	gadget_free(p->gadget);
	selector_free(p->selector);
	*p = (struct run_plan){0};
}
