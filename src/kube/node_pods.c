// SPDX-License-Identifier: Apache-2.0
#include "kube/node_pods.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "containers/containers.h"
#include "kube/access.h"
#include "kube/pod.h"
#include "kube/reflector.h"

#define PAGE 100

struct node_pods {
	struct node_pods_options options;
	struct reflector *reflector;
};

static void on_list_begin(void *ctx)
{
	struct node_pods *n = ctx;

	containers_pods_begin(n->options.containers);
}

static void on_list_end(void *ctx)
{
	struct node_pods *n = ctx;

	containers_pods_end(n->options.containers);
}

static void on_changed(void *ctx, const json_t *object)
{
	struct node_pods *n = ctx;
	struct pod_owner owner;
	struct pod_facts facts;

	if (!pod_read(object, &facts, &owner))
		return;
	containers_pod(n->options.containers, &facts);
	labels_done(&facts.labels);
	pod_owner_done(&owner);
}

static void on_deleted(void *ctx, const json_t *object)
{
	struct node_pods *n = ctx;
	const char *uid = pod_uid(object);

	if (uid)
		containers_pod_gone(n->options.containers, uid);
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct node_pods *n = ctx;
	_cleanup_(freep) char *text =
		err ? xasprintf("pods' labels and owners may lack: %s", err->text)
		    : xstrdup("the API server tells of pods again");

	n->options.warn(n->options.ctx, text);
}

static const struct reflector_events events = {
	.list_begin = on_list_begin,
	.list_end = on_list_end,
	.changed = on_changed,
	.deleted = on_deleted,
	.trouble = on_trouble,
};

struct node_pods *node_pods_new(struct reactor *r, const struct node_pods_options *o)
{
	struct node_pods *n = xnew(struct node_pods);
	_cleanup_(freep) char *query = xasprintf("fieldSelector=spec.nodeName%%3D%s", o->node);

	n->options = *o;
	n->reflector = reflector_new(r, kube_access_server(o->access, r), "/api/v1/pods", query,
				     PAGE, &events, n);
	return n;
}

struct node_pods *node_pods_free(struct node_pods *n)
{
	if (n)
		reflector_free(n->reflector);
	free(n);
	return NULL;
}
