// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of containerd: run by runc, crun or another runtime below a shim. The bundle
 * STATE/io.containerd.runtime.v2.task/NAMESPACE/ID has the annotations, of Kubernetes' containers
 * with the names of pod and container; labels and images are containerd's: asked for through the
 * CRI, or through containerd's own API for what Kubernetes does not know, and where no CRI is
 * served. What was gone before it was asked for is known by containerd's events.
 */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/bundle.h"
#include "containers/containerd.h"
#include "containers/containerd.pb-c.h"
#include "containers/containerd_tasks.pb-c.h"
#include "containers/cri.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/kubernetes.h"

#define TASKS "/io.containerd.runtime.v2.task/"

static const char *const states[] = {"/run/containerd", "/run/k3s/containerd"};

/* ---- the disk -------------------------------------------------------------------- */

/* The namespace in a bundle's path, as a new string; NULL: it is not containerd's. */
static char *namespace_of(const char *bundle)
{
	const char *tasks = bundle ? strstr(bundle, TASKS) : NULL;
	const char *name = tasks ? tasks + sizeof(TASKS) - 1 : NULL;
	const char *slash = name ? strchr(name, '/') : NULL;

	return slash && slash > name ? xstrndup(name, (size_t)(slash - name)) : NULL;
}

/* Is that folder the bundle of the container with this first process? */
static bool is_bundle_of(const struct runtime_context *ctx, const char *bundle, uint32_t pid)
{
	_cleanup_(freep) char *path = xasprintf("%s/init.pid", bundle);
	_cleanup_(buf_done) struct buf b = {.max = 32};
	uint64_t said;

	return !host_read(ctx->host_root, path, &b) && !parse_u64(buf_cstr(&b), &said) &&
	       said == pid;
}

struct search {
	const struct runtime_context *ctx;
	const char *tasks, *id;
	uint32_t pid;
	char *found;
};

static int try_namespace(void *arg, const char *name)
{
	struct search *s = arg;
	_cleanup_(freep) char *bundle = xasprintf("%s%s/%s", s->tasks, name, s->id);

	if (!is_bundle_of(s->ctx, bundle, s->pid))
		return 0;
	s->found = take(bundle);
	return 1;
}

/* Where no state of an OCI runtime has told it: beside the shim's, or in the usual places. */
static char *find_bundle(const struct runtime_context *ctx, const char *id,
			 const struct clues *clues)
{
	const char *slash = clues->parent_cwd ? strrchr(clues->parent_cwd, '/') : NULL;
	struct search s = {ctx, NULL, id, clues->pid, NULL};

	if (slash) {
		_cleanup_(freep) char *bundle = xasprintf(
			"%.*s/%s", (int)(slash - clues->parent_cwd), clues->parent_cwd, id);

		if (is_bundle_of(ctx, bundle, clues->pid))
			return take(bundle);
	}
	for (size_t i = 0; i < array_size(states) && !s.found; i++) {
		_cleanup_(freep) char *tasks = xasprintf("%s" TASKS, states[i]);

		s.tasks = tasks;
		host_each(ctx->host_root, tasks, try_namespace, &s);
	}
	return s.found;
}

/*
 * The container is gone from the disk, and its shim still runs, as the one of a pod does: it was
 * started for the pod's sandbox.
 */
static bool follow_shim(struct container *c, const struct clues *clues, char **id)
{
	const char *own = c->id ?: *id;

	if (!own || !clues->parent.id ||
	    !str_equal(clues->parent.namespace_, CONTAINERD_KUBERNETES))
		return false;
	if (strcmp(own, clues->parent.id))
		labels_add(&c->annotations, "io.kubernetes.cri.sandbox-id", clues->parent.id);
	else
		c->sandbox = true;
	if (!c->id)
		c->id = take(*id);
	free(c->runtime);
	c->runtime = xstrdup("containerd");
	return true;
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	_cleanup_(freep) char *id = c->id ? NULL : identify_id(c->cgroup_path);
	_cleanup_(freep) char *namespace = NULL;

	if (str_equal(c->runtime, "docker")) /* which runs containerd for itself */
		return false;
	if (!c->bundle && (c->id || id)) {
		c->bundle = find_bundle(ctx, c->id ?: id, clues);
		if (c->bundle)
			bundle_read(ctx, c);
	}
	namespace = namespace_of(c->bundle);
	if (!namespace)
		return follow_shim(c, clues, &id);
	if (!strcmp(namespace, CONTAINERD_DOCKER))
		return false;
	if (!c->id)
		c->id = take(id);
	free(c->runtime);
	c->runtime = xstrdup("containerd");
	kubernetes_fill(c, &c->annotations);
	return true;
}

/* ---- the daemon ------------------------------------------------------------------ */

/* What c's own labels say of it. */
static void look_at_labels(struct container *c)
{
	const char *name = labels_get(&c->labels, "nerdctl/name");

	kubernetes_fill(c, &c->labels);
	if (!name || !*name)
		return;
	free(c->name);
	c->name = xstrdup(name);
}

bool containerd_fill(struct rpc *rpc, struct container *c, const void *bytes, size_t len)
{
	Containerd__Services__Containers__V1__GetContainerResponse *r =
		containerd__services__containers__v1__get_container_response__unpack(NULL, len,
										     bytes);
	const Containerd__Services__Containers__V1__Container *from = r ? r->container : NULL;

	for (size_t i = 0; from && i < from->n_labels && i < MAX_LABELS; i++)
		labels_add(&c->labels, from->labels[i]->key, from->labels[i]->value);
	if (from && *from->image && !c->image_name)
		c->image_name = xstrdup(from->image);
	if (from)
		look_at_labels(c);
	if (r)
		containerd__services__containers__v1__get_container_response__free_unpacked(r,
											    NULL);
	return from;
}

/* The sandbox has the labels of the pod. */
bool containerd_fill_from_sandbox(struct rpc *rpc, struct container *c, const void *bytes,
				  size_t len)
{
	Containerd__Services__Containers__V1__GetContainerResponse *r =
		containerd__services__containers__v1__get_container_response__unpack(NULL, len,
										     bytes);
	const Containerd__Services__Containers__V1__Container *from = r ? r->container : NULL;
	struct labels l = {0};

	for (size_t i = 0; from && i < from->n_labels && i < MAX_LABELS; i++)
		labels_add(&l, from->labels[i]->key, from->labels[i]->value);
	kubernetes_add_labels(c, &l);
	labels_done(&l);
	if (r)
		containerd__services__containers__v1__get_container_response__free_unpacked(r,
											    NULL);
	return from;
}

static const struct heard *heard_of(const struct daemon *d, const struct container *c)
{
	return listener_find(d->listener, c->id, c->pid);
}

/* As a new string; NULL: nobody has told. */
static char *known_namespace(const struct daemon *d, const struct container *c)
{
	char *namespace = namespace_of(c->bundle);
	const struct heard *h = namespace ? NULL : heard_of(d, c);

	return h ? xstrdup(h->namespace_) : namespace;
}

static void get(struct rpc *rpc, struct container *c, const char *id, rpc_fill_fn *fill_fn)
{
	Containerd__Services__Containers__V1__GetContainerRequest request =
		CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
	_cleanup_(freep) char *namespace = known_namespace(rpc_daemon(rpc), c);

	request.id = (char *)id;
	rpc_call(rpc, &(struct rpc_call){
			      "/containerd.services.containers.v1.Containers/Get",
			      namespace ?: CONTAINERD_KUBERNETES,
			      &request.base,
			      fill_fn,
		      });
}

static void get_container(struct rpc *rpc, struct container *c)
{
	const char *sandbox = kubernetes_sandbox_id(c);

	get(rpc, c, c->id, containerd_fill);
	if (sandbox && !c->sandbox)
		get(rpc, c, sandbox, containerd_fill_from_sandbox);
}

bool containerd_fill_task(struct rpc *rpc, struct container *c, const void *bytes, size_t len)
{
	Containerd__Services__Tasks__V1__GetResponse *r =
		containerd__services__tasks__v1__get_response__unpack(NULL, len, bytes);
	bool is_same = r && r->process && r->process->pid == c->pid;

	if (r)
		containerd__services__tasks__v1__get_response__free_unpacked(r, NULL);
	if (is_same && rpc)
		get_container(rpc, c);
	return is_same;
}

static void get_task(struct rpc *rpc, struct container *c)
{
	Containerd__Services__Tasks__V1__GetRequest request =
		CONTAINERD__SERVICES__TASKS__V1__GET_REQUEST__INIT;
	_cleanup_(freep) char *namespace = known_namespace(rpc_daemon(rpc), c);

	request.container_id = c->id;
	rpc_call(rpc, &(struct rpc_call){
			      "/containerd.services.tasks.v1.Tasks/Get",
			      namespace ?: CONTAINERD_KUBERNETES,
			      &request.base,
			      containerd_fill_task,
		      });
}

/*
 * By its own API: a container, once it is sure that it is the one whose process we saw. Ids are
 * names, which others have in other namespaces, and had before.
 */
static void ask_containerd(struct rpc *rpc, struct container *c)
{
	const struct heard *h = heard_of(rpc_daemon(rpc), c);

	if (h && h->pid)
		get_container(rpc, c);
	else
		get_task(rpc, c);
}

/* Its task is gone; the container may stay. Another's answer would be taken for its own only where
 * neither its namespace nor its id tells. */
static bool on_no_task(struct rpc *rpc, struct container *c)
{
	_cleanup_(freep) char *namespace = known_namespace(rpc_daemon(rpc), c);

	if (!namespace && !identify_is_full_id(c->id))
		return false;
	get_container(rpc, c);
	return true;
}

/* It is forgotten: what was heard of it is all that can be known. False: that is not all of it. */
static bool fill_from_heard(struct container *c, const struct heard *h)
{
	if (!h)
		return false;
	if (h->image && !c->image_name)
		c->image_name = xstrdup(h->image);
	for (size_t i = 0; i < h->labels.n; i++)
		labels_add(&c->labels, h->labels.items[i].key, h->labels.items[i].value);
	look_at_labels(c);
	return h->has_labels;
}

static bool on_absent(struct rpc *rpc, struct container *c, rpc_fill_fn *fill_fn, bool not_found)
{
	const struct heard *h = heard_of(rpc_daemon(rpc), c);

	if (fill_fn == containerd_fill_task)
		return not_found && on_no_task(rpc, c);
	if (fill_fn == containerd_fill)
		return fill_from_heard(c, h);
	if (fill_fn == containerd_fill_from_sandbox || !h ||
	    !strcmp(h->namespace_, CONTAINERD_KUBERNETES))
		return false;
	/* The CRI does not know it: it is none of Kubernetes'. */
	if (!rpc_has_call(rpc, containerd_fill) && !rpc_has_call(rpc, containerd_fill_task))
		ask_containerd(rpc, c);
	return true;
}

static void ask(struct daemon *d, struct question *q)
{
	struct container *c = q->container;
	_cleanup_(freep) char *of_bundle = namespace_of(c->bundle);
	_cleanup_(freep) char *known = known_namespace(d, c);
	struct rpc *rpc;

	rpc = rpc_begin(d, q);
	if (!rpc)
		return;
	rpc_if_absent(rpc, on_absent);
	/* Where nothing was left on disk, it is most likely a pod's. */
	if (c->k8s_pod || (!of_bundle && (!known || !strcmp(known, CONTAINERD_KUBERNETES)))) {
		rpc_otherwise(rpc, ask_containerd);
		cri_call(rpc, c, c->sandbox ? c->id : kubernetes_sandbox_id(c));
	} else {
		ask_containerd(rpc, c);
	}
	rpc_end(rpc);
}

static bool wants(const struct container *c)
{
	return str_equal(c->runtime, "containerd");
}

static const char *socket_of(const struct clues *clues)
{
	return clues->parent.address; /* of a shim: to whom it reports */
}

static const char *const sockets[] = {
	"/run/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock",
	"/var/snap/microk8s/common/run/containerd.sock",
	NULL,
};
static const struct daemon_kind daemon_kind = {
	.sockets = sockets,
	.wants = wants,
	.socket_of = socket_of,
	.ask = ask,
	.forget = rpc_forget,
	.listen = containerd_listen,
	.close = containerd_close,
};
static const struct runtime containerd = {"containerd", 20, resolve, NULL, &daemon_kind};
RUNTIME(&containerd);
