// SPDX-License-Identifier: Apache-2.0
#include "kube/names.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "containers/addresses.h"
#include "kube/kube.h"
#include "kube/reflector.h"

#define MAX_NAME 253 /* DNS subdomain names, which Kubernetes' are */
#define PAGE 100     /* a pod takes 5 to 15 KB as JSON, and some times as much as objects */

/* One collection, of the whole cluster or of a namespace. */
struct collection {
	struct kube_names *names;
	enum kube_kind kind;
	char *namespace_; /* NULL: all */
	struct reflector *reflector;
	bool listed, troubled;
	bool refused; /* and watched no longer */
};

struct kube_names {
	struct kube_names_options options;
	char **namespaces;
	struct kube_addresses *addresses;
	struct collection **collections;
	size_t n, room, n_troubled;
	struct timer refusal; /* ends what was refused, which cannot be from within */
	bool said_refused, said_full;
	struct buf labels; /* of the pod that is read */
};

/* ---- objects --------------------------------------------------------------------- */

static const json_t *get(const json_t *object, const char *a, const char *b)
{
	return json_object_get(json_object_get(object, a), b);
}

static bool take_address(const json_t *text, g_addr *to, size_t *n)
{
	const char *s = json_string_value(text);
	bool is_one = s && *n < KUBE_MAX_ADDRESSES && addresses_parse(s, to[*n]);

	*n += is_one;
	return is_one;
}

static size_t pod_addresses(const json_t *pod, g_addr *to)
{
	const char *phase = json_string_value(get(pod, "status", "phase"));
	const json_t *all = get(pod, "status", "podIPs"), *one;
	size_t n = 0, i;

	if (str_equal(phase, "Succeeded") || str_equal(phase, "Failed") ||
	    json_is_true(get(pod, "spec", "hostNetwork")))
		return 0;
	json_array_foreach(all, i, one)
		take_address(json_object_get(one, "ip"), to, &n);
	if (!n)
		take_address(get(pod, "status", "podIP"), to, &n);
	return n;
}

/* A headless one has the address "None". Before 1.20 there is one address, in clusterIP. */
static size_t service_addresses(const json_t *service, g_addr *to)
{
	const json_t *all = get(service, "spec", "clusterIPs"), *one;
	size_t n = 0, i;

	json_array_foreach(all, i, one)
		take_address(one, to, &n);
	if (!n)
		take_address(get(service, "spec", "clusterIP"), to, &n);
	return n;
}

static const struct reading {
	const char *name, *query;
	size_t (*addresses)(const json_t *object, g_addr *to);
} readings[] = {
	[KUBE_POD] = {"pods",
		      "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed",
		      pod_addresses},
	[KUBE_SERVICE] = {"services", "", service_addresses},
};

static void read_labels(const json_t *object, struct buf *to)
{
	json_t *all = (json_t *)(uintptr_t)get(object, "metadata", "labels"), *value;
	const char *key;

	json_object_foreach(all, key, value) {
		if (!json_is_string(value))
			continue;
		buf_printf(to, "%s=%s", key, json_string_value(value));
		buf_add(to, "", 1);
	}
	if (to->failed)
		buf_clear(to);
}

static void set(struct collection *c, const json_t *object, bool is_there)
{
	struct kube_names *names = c->names;
	struct kube_holder h = {
		.kind = c->kind,
		.namespace_ = json_string_value(get(object, "metadata", "namespace")),
		.name = json_string_value(get(object, "metadata", "name")),
	};
	g_addr addresses[KUBE_MAX_ADDRESSES];
	size_t n = is_there ? readings[c->kind].addresses(object, addresses) : 0;

	if (!h.namespace_ || !h.name || strlen(h.namespace_) + strlen(h.name) > 2 * MAX_NAME)
		return;
	buf_clear(&names->labels);
	if (n && names->options.labels && c->kind == KUBE_POD)
		read_labels(object, &names->labels);
	h.labels = names->labels.data;
	h.labels_len = names->labels.len;
	if (kube_addresses_set(names->addresses, &h, addresses, n) || names->said_full)
		return;
	names->said_full = true;
	names->options.warn(names->options.ctx,
			    "the cluster has more pods and services than can be known here: those "
			    "beyond are shown by their addresses");
}

/* ---- collections ----------------------------------------------------------------- */

static void on_list_begin(void *ctx)
{
	struct collection *c = ctx;

	kube_addresses_begin(c->names->addresses, c->kind, c->namespace_);
}

static void on_list_end(void *ctx)
{
	struct collection *c = ctx;

	kube_addresses_end(c->names->addresses, c->kind, c->namespace_);
	c->listed = true;
}

static void on_changed(void *ctx, const json_t *object)
{
	set(ctx, object, true);
}

static void on_deleted(void *ctx, const json_t *object)
{
	set(ctx, object, false);
}

static void on_refusals(void *ctx);

/* A server that is away is in the way of both kinds: it is said of the first. */
static void set_troubled(struct collection *c, const struct err *err)
{
	const struct kube_names_options *o = &c->names->options;
	bool was = c->names->n_troubled;
	_cleanup_(freep) char *text = NULL;

	c->names->n_troubled += (err != NULL) - c->troubled;
	c->troubled = err;
	if (err)
		text = xasprintf("names of pods and services are missing, or old: %s", err->text);
	if (was != !!c->names->n_troubled)
		o->warn(o->ctx, text ?: "names of pods and services are told again");
}

static void set_refused(struct collection *c, const struct err *err)
{
	struct kube_names *names = c->names;
	const struct kube_names_options *o = &names->options;
	_cleanup_(freep) char *text = xasprintf(
		"not all addresses of pods and services can be shown by names: %s", err->text);

	c->refused = true;
	names->n_troubled -= c->troubled;
	c->troubled = false;
	timer_start(&names->refusal, o->reactor, 0, on_refusals, names);
	if (!names->said_refused)
		o->warn(o->ctx, text);
	names->said_refused = true;
}

static void on_trouble(void *ctx, const struct err *err)
{
	if (err && err->code == -EPERM)
		set_refused(ctx, err);
	else
		set_troubled(ctx, err);
}

static void watch(struct kube_names *names, enum kube_kind kind, const char *namespace_)
{
	static const struct reflector_events events = {.list_begin = on_list_begin,
						       .list_end = on_list_end,
						       .changed = on_changed,
						       .deleted = on_deleted,
						       .trouble = on_trouble};
	const struct kube_names_options *o = &names->options;
	_cleanup_(buf_done) struct buf path = {.max = 4096};
	struct collection *c = xnew(struct collection);

	*c = (struct collection){.names = names, .kind = kind, .namespace_ = xstrdup(namespace_)};
	*grow(&names->collections, &names->n, &names->room) = c;
	buf_str(&path, "/api/v1/");
	if (namespace_) {
		buf_str(&path, "namespaces/");
		kube_escape(&path, namespace_);
		buf_char(&path, '/');
	}
	buf_str(&path, readings[kind].name);
	c->reflector = reflector_new(o->reactor, o->server(o->ctx), buf_cstr(&path),
				     readings[kind].query, PAGE, &events, c);
}

/* What may not be had of the whole cluster is asked for in the namespaces that are wanted. */
static void on_refusals(void *ctx)
{
	struct kube_names *names = ctx;

	for (size_t i = 0; i < names->n; i++) {
		struct collection *c = names->collections[i];

		if (!c->refused || !c->reflector)
			continue;
		c->reflector = reflector_free(c->reflector);
		kube_addresses_begin(names->addresses, c->kind, c->namespace_);
		kube_addresses_end(names->addresses, c->kind, c->namespace_);
		for (size_t j = 0; !c->namespace_ && j < names->options.n_namespaces; j++)
			watch(names, c->kind, names->namespaces[j]);
	}
}

/* ---- life ------------------------------------------------------------------------ */

struct kube_names *kube_names_new(const struct kube_names_options *o)
{
	struct kube_names *names = xnew(struct kube_names);

	names->options = *o;
	names->addresses = kube_addresses_new();
	names->namespaces = xnew_n(char *, o->n_namespaces);
	for (size_t i = 0; i < o->n_namespaces; i++)
		names->namespaces[i] = xstrdup(o->namespaces[i]);
	buf_init(&names->labels, MAX_HEARD_LABELS_BYTES);
	for (size_t kind = 0; kind < array_size(readings); kind++)
		watch(names, kind, NULL);
	return names;
}

struct kube_names *kube_names_free(struct kube_names *names)
{
	if (!names)
		return NULL;
	timer_stop(&names->refusal);
	for (size_t i = 0; i < names->n; i++) {
		reflector_free(names->collections[i]->reflector);
		free(names->collections[i]->namespace_);
		free(names->collections[i]);
	}
	free(names->collections);
	for (size_t i = 0; i < names->options.n_namespaces; i++)
		free(names->namespaces[i]);
	free(names->namespaces);
	buf_done(&names->labels);
	kube_addresses_free(names->addresses);
	free(names);
	return NULL;
}

bool kube_names_complete(const struct kube_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct collection *c = names->collections[i];

		if (c->refused ? c->reflector != NULL : !c->listed)
			return false;
	}
	return true;
}

const struct kube_addresses *kube_names_addresses(const struct kube_names *names)
{
	return names->addresses;
}
