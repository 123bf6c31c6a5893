// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of CRI-O: run by runc or crun, with all facts in the annotations of the bundle
 * STORAGE/overlay-containers/ID/userdata. The pod's labels are JSON in an annotation of its
 * sandbox, whose bundle lies beside the container's.
 */
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/bundle.h"
#include "containers/cri.h"
#include "containers/kubernetes.h"

#define LABELS "io.kubernetes.cri-o.Labels"

static bool is_crio(const struct container *c)
{
	const char *manager = container_annotation(c, "io.container.manager");

	return manager && (!strcmp(manager, "cri-o") || !strcmp(manager, "crio"));
}

static void set_labels(struct container *c, const char *json)
{
	struct labels labels = {0};

	if (json && !oci_parse_labels(json, strlen(json), &labels))
		kubernetes_add_labels(c, &labels);
	labels_done(&labels);
}

/* The labels of the sandbox whose bundle stands beside c's. */
static void read_sandbox(const struct runtime_context *ctx, struct container *c)
{
	_cleanup_(container_unrefp) struct container *sandbox = container_new();
	const char *id = kubernetes_sandbox_id(c);
	const char *own = id && c->bundle && c->id ? strstr(c->bundle, c->id) : NULL;

	if (!own)
		return;
	sandbox->bundle =
		xasprintf("%.*s%s%s", (int)(own - c->bundle), c->bundle, id, own + strlen(c->id));
	bundle_read(ctx, sandbox);
	set_labels(c, container_annotation(sandbox, LABELS));
	if (!c->k8s_pod_ip)
		c->k8s_pod_ip = xstrdup(container_annotation(sandbox, "io.kubernetes.cri-o.IP.0"));
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	const char *image_ref;

	if (c->bundle && strstr(c->bundle, "/overlay-containers/"))
		bundle_read(ctx, c); /* where there was no state: by conmon's word */
	if (!is_crio(c))
		return false;
	free(c->runtime);
	c->runtime = xstrdup("cri-o");
	kubernetes_fill(c, &c->annotations);
	image_ref = container_annotation(c, "io.kubernetes.cri-o.ImageRef");
	if (image_ref && !c->image_id)
		c->image_id = xstrdup(image_ref);
	if (c->sandbox)
		set_labels(c, container_annotation(c, LABELS));
	else
		read_sandbox(ctx, c);
	return true;
}

static bool wants(const struct container *c)
{
	return str_equal(c->runtime, "cri-o") && !c->k8s_labels.n;
}

static void ask(struct daemon *d, struct question *q)
{
	struct rpc *rpc = rpc_begin(d, q);
	const struct container *c = q->container;

	if (!rpc)
		return;
	cri_call(rpc, c, c->sandbox ? c->id : kubernetes_sandbox_id(c));
	rpc_end(rpc);
}

static const char *const sockets[] = {"/run/crio/crio.sock", NULL};
static const struct daemon_kind daemon_kind = {
	.sockets = sockets,
	.wants = wants,
	.ask = ask,
	.forget = rpc_forget,
	.close = rpc_close,
};
static const struct runtime crio = {"crio", 25, resolve, NULL, &daemon_kind};
RUNTIME(&crio);
