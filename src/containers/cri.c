// SPDX-License-Identifier: Apache-2.0
#include "containers/cri.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/cri.pb-c.h"
#include "containers/kubernetes.h"

static struct labels labels_of(Runtime__V1__Entry **entries, size_t n)
{
	struct labels l = {0};

	for (size_t i = 0; i < n && i < MAX_LABELS; i++)
		labels_add(&l, entries[i]->key, entries[i]->value);
	return l;
}

static void set_text(char **to, const char *text)
{
	if (!text || !*text)
		return;
	free(*to);
	*to = xstrdup(text);
}

bool cri_fill_pod(struct rpc *rpc, struct container *c, const void *bytes, size_t len)
{
	Runtime__V1__PodSandboxStatusResponse *r =
		runtime__v1__pod_sandbox_status_response__unpack(NULL, len, bytes);
	const Runtime__V1__PodSandboxStatus *s = r ? r->status : NULL;
	struct labels labels;

	if (s) {
		labels = labels_of(s->labels, s->n_labels);
		kubernetes_add_labels(c, &labels);
		labels_done(&labels);
		if (s->metadata) {
			set_text(&c->k8s_pod, s->metadata->name);
			set_text(&c->k8s_namespace, s->metadata->namespace_);
			set_text(&c->k8s_pod_uid, s->metadata->uid);
		}
		if (s->network)
			set_text(&c->k8s_pod_ip, s->network->ip);
	}
	if (r)
		runtime__v1__pod_sandbox_status_response__free_unpacked(r, NULL);
	return s;
}

/* "sha256:…" is the image's id, "name@sha256:…" names its digest. */
static void set_image_ref(struct container *c, const char *ref)
{
	const char *at = ref ? strstr(ref, "@sha256:") : NULL;

	if (at)
		set_text(&c->image_digest, at + 1);
	else if (ref && str_starts(ref, "sha256:"))
		set_text(&c->image_id, ref);
}

bool cri_fill_container(struct rpc *rpc, struct container *c, const void *bytes, size_t len)
{
	Runtime__V1__ContainerStatusResponse *r =
		runtime__v1__container_status_response__unpack(NULL, len, bytes);
	const Runtime__V1__ContainerStatus *s = r ? r->status : NULL;
	struct labels labels;

	if (s) {
		labels = labels_of(s->labels, s->n_labels);
		kubernetes_fill(c, &labels);
		labels_done(&labels);
		if (s->metadata && *s->metadata->name) {
			set_text(&c->k8s_container, s->metadata->name);
			set_text(&c->name, s->metadata->name);
		}
		if (s->image)
			set_text(&c->image_name, s->image->image);
		set_image_ref(c, s->image_ref);
	}
	if (r)
		runtime__v1__container_status_response__free_unpacked(r, NULL);
	return s;
}

static void ask_pod(struct rpc *rpc, const char *sandbox_id)
{
	Runtime__V1__PodSandboxStatusRequest r = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;

	r.pod_sandbox_id = (char *)sandbox_id;
	rpc_call(rpc, &(struct rpc_call){
			      "/runtime.v1.RuntimeService/PodSandboxStatus",
			      NULL,
			      &r.base,
			      cri_fill_pod,
		      });
}

static void ask_container(struct rpc *rpc, const struct container *c)
{
	Runtime__V1__ContainerStatusRequest r = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

	r.container_id = c->id;
	rpc_call(rpc, &(struct rpc_call){
			      "/runtime.v1.RuntimeService/ContainerStatus",
			      NULL,
			      &r.base,
			      cri_fill_container,
		      });
}

/* Where an image was pulled, a container's status has its digest, and only the list has its id. */
static void ask_list(struct rpc *rpc, const struct container *c)
{
	Runtime__V1__ListContainersRequest r = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;

	filter.id = c->id;
	r.filter = &filter;
	rpc_call(rpc, &(struct rpc_call){
			      "/runtime.v1.RuntimeService/ListContainers",
			      NULL,
			      &r.base,
			      cri_fill_listed,
		      });
}

bool cri_fill_listed(struct rpc *rpc, struct container *c, const void *bytes, size_t len)
{
	Runtime__V1__ListContainersResponse *r =
		runtime__v1__list_containers_response__unpack(NULL, len, bytes);
	const Runtime__V1__Container *listed = r && r->n_containers ? r->containers[0] : NULL;

	if (listed) {
		set_image_ref(c, listed->image_ref);
		if (rpc && *listed->pod_sandbox_id && !rpc_has_call(rpc, cri_fill_pod))
			ask_pod(rpc, listed->pod_sandbox_id);
	}
	if (r)
		runtime__v1__list_containers_response__free_unpacked(r, NULL);
	return listed;
}

void cri_call(struct rpc *rpc, const struct container *c, const char *sandbox_id)
{
	if (sandbox_id)
		ask_pod(rpc, sandbox_id);
	if (c->sandbox)
		return;
	ask_container(rpc, c);
	ask_list(rpc, c);
}
