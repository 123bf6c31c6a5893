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

static void set_text(char **to, const char *text)
{
	if (text && *text && !*to)
		*to = xstrdup(text);
}

/*
 * Names are in the kubelet's labels; who makes pods without it (crictl) gives them in the CRI's
 * metadata alone, which is JSON: {"name": …}, where CRI-O is older {"Name": …}. Of a pod
 * these stand in its sandbox's.
 */
static void set_names(struct container *c, const struct container *from)
{
	const char *json = container_annotation(from, "io.kubernetes.cri-o.Metadata");
	struct labels m = {0};

	if (json && !oci_parse_labels(json, strlen(json), &m)) {
		const char *name = labels_get(&m, "name") ?: labels_get(&m, "Name");

		set_text(from->sandbox ? &c->k8s_pod : &c->k8s_container, name);
		set_text(&c->k8s_namespace,
			 labels_get(&m, "namespace") ?: labels_get(&m, "Namespace"));
		set_text(&c->k8s_pod_uid, labels_get(&m, "uid") ?: labels_get(&m, "UID"));
	}
	labels_done(&m);
	if (!c->sandbox)
		set_text(&c->name, c->k8s_container);
}

/* "name@sha256:…" names the image's digest; newer ones give its id. */
static void set_image(struct container *c, const char *ref)
{
	const char *at = ref ? strstr(ref, "@sha256:") : NULL;

	if (at)
		set_text(&c->image_digest, at + 1);
	else
		set_text(&c->image_id, ref);
}

/* The names and labels of the sandbox whose bundle stands beside c's, also where it has no process
 * of its own. */
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
	sandbox->sandbox = true;
	set_labels(c, container_annotation(sandbox, LABELS));
	set_names(c, sandbox);
	set_text(&c->k8s_pod_ip, container_annotation(sandbox, "io.kubernetes.cri-o.IP.0"));
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	if (c->bundle && strstr(c->bundle, "/overlay-containers/"))
		bundle_read(ctx, c); /* where there was no state: by conmon's word */
	if (!is_crio(c))
		return false;
	free(c->runtime);
	c->runtime = xstrdup("cri-o");
	kubernetes_fill(c, &c->annotations);
	set_names(c, c);
	set_image(c, container_annotation(c, "io.kubernetes.cri-o.ImageRef"));
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
