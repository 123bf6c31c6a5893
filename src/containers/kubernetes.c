// SPDX-License-Identifier: Apache-2.0
#include "containers/kubernetes.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"

#define PLACE(member) offsetof(struct container, member)

/* containerd's CRI writes io.kubernetes.cri.…, CRI-O io.kubernetes.cri-o.…, the kubelet the rest.
 */
static const struct {
	const char *key;
	size_t place; /* of a text in struct container */
} facts[] = {
	{"io.kubernetes.pod.namespace", PLACE(k8s_namespace)},
	{"io.kubernetes.pod.name", PLACE(k8s_pod)},
	{"io.kubernetes.pod.uid", PLACE(k8s_pod_uid)},
	{"io.kubernetes.container.name", PLACE(k8s_container)},
	{"io.kubernetes.cri.sandbox-namespace", PLACE(k8s_namespace)},
	{"io.kubernetes.cri.sandbox-name", PLACE(k8s_pod)},
	{"io.kubernetes.cri.sandbox-uid", PLACE(k8s_pod_uid)},
	{"io.kubernetes.cri.container-name", PLACE(k8s_container)},
	{"io.kubernetes.cri.image-name", PLACE(image_name)},
	{"io.kubernetes.cri-o.ImageName", PLACE(image_name)},
	{"io.kubernetes.cri-o.IP.0", PLACE(k8s_pod_ip)},
};

static const struct {
	const char *key, *value;
} sandboxes[] = {
	{"io.kubernetes.cri.container-type", "sandbox"},
	{"io.kubernetes.cri-o.ContainerType", "sandbox"},
	{"io.cri-containerd.kind", "sandbox"},
	{"io.kubernetes.docker.type", "podsandbox"},
};

void kubernetes_fill(struct container *c, const struct labels *from)
{
	for (size_t i = 0; i < array_size(facts); i++) {
		const char *value = labels_get(from, facts[i].key);
		char **to = (char **)((char *)c + facts[i].place);

		if (value && *value && !*to)
			*to = xstrdup(value);
	}
	for (size_t i = 0; i < array_size(sandboxes); i++)
		if (str_equal(labels_get(from, sandboxes[i].key), sandboxes[i].value))
			c->sandbox = true;
	/* The kubelet calls the sandbox of a pod so, where it gives it a name at all. */
	if (c->sandbox && str_equal(c->k8s_container, "POD")) {
		free(c->k8s_container);
		c->k8s_container = NULL;
	}
	if (!c->name && c->k8s_container)
		c->name = xstrdup(c->k8s_container);
}

static bool is_for_themselves(const char *key)
{
	return str_starts(key, "io.kubernetes.") || str_starts(key, "io.cri-containerd.");
}

void kubernetes_add_labels(struct container *c, const struct labels *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (!is_for_themselves(from->items[i].key))
			labels_add(&c->k8s_labels, from->items[i].key, from->items[i].value);
}

const char *kubernetes_sandbox_id(const struct container *c)
{
	const char *id = container_annotation(c, "io.kubernetes.cri.sandbox-id");

	return id ?: container_annotation(c, "io.kubernetes.cri-o.SandboxID");
}
