// SPDX-License-Identifier: Apache-2.0
/* A container's life as an object, and its fields as columns/ sees them. */
#include "containers/container.h"

#include "base/mem.h"
#include "columns/labels.h"

struct container *container_new(void)
{
	struct container *c = xnew(struct container);

	c->refs = 1;
	c->resolved = true;
	return c;
}

struct container *container_ref(struct container *c)
{
	c->refs++;
	return c;
}

static void container_free(struct container *c)
{
	free(c->k8s_node);
	free(c->id);
	free(c->name);
	free(c->runtime);
	free(c->bundle);
	free(c->cgroup_path);
	free(c->image_name);
	free(c->image_id);
	free(c->image_digest);
	free(c->k8s_namespace);
	free(c->k8s_pod);
	free(c->k8s_pod_uid);
	free(c->k8s_container);
	free(c->k8s_pod_ip);
	free(c->k8s_owner_kind);
	free(c->k8s_owner_name);
	labels_done(&c->k8s_labels);
	labels_done(&c->annotations);
	labels_done(&c->labels);
	free(c->outer_name);
	container_unref(c->outer);
	owner_names_unref(c->owners);
	free(c);
}

struct container *container_unref(struct container *c)
{
	if (c && !--c->refs)
		container_free(c);
	return NULL;
}

void container_unrefp(struct container **c)
{
	container_unref(*c);
}

const char *container_annotation(const struct container *c, const char *key)
{
	return labels_get(&c->annotations, key);
}

const struct labels *container_labels(const struct container *c)
{
	return c->k8s_pod ? &c->k8s_labels : &c->labels;
}

void container_set_outer(struct container *c, struct container *outer)
{
	if (outer)
		container_ref(outer);
	container_unref(c->outer);
	c->outer = outer;
	free(c->outer_name);
	c->outer_name = xstrdup(outer ? outer->name : NULL);
}

/* A node's own has the node's name, and nothing that any container has. */
static bool is_nodes_own(const struct container *c)
{
	return c->k8s_node && !c->id && !c->pid && !c->k8s_pod && !(c->name && *c->name);
}

static uint32_t shown_size(const struct container *c)
{
	if (!c)
		return 0;
	return is_nodes_own(c) ? sizeof(c->k8s_node) : sizeof(*c);
}

struct row container_row(const struct container *c, const void *record, uint32_t size,
			 struct owner_names *host)
{
	static struct owner_names none = {.refs = 1}; /* ids without names: not those of the host */

	return (struct row){
		.part = {[PART_RECORD] = record, [PART_CONTAINER] = c},
		.size = {[PART_RECORD] = size, [PART_CONTAINER] = shown_size(c)},
		.container_version = c ? c->version : 0,
		.owners = c ? c->owners ?: &none : host,
	};
}

#define PLACE(member)                                                                       \
	.part = PART_CONTAINER, .parent = -1, .offset = offsetof(struct container, member), \
	.size = sizeof(((struct container *)NULL)->member)
#define GROUP(name_, doc_)                                                       \
	{                                                                        \
		.name = name_, .doc = doc_, .part = PART_CONTAINER, .parent = -1 \
	}
#define TEXT(member) .kind = KIND_CSTR, PLACE(member)
#define NUMBER(member) .kind = KIND_UINT, PLACE(member)
#define BOOL(member) .kind = KIND_BOOL, PLACE(member)
#define LABELS(member) .kind = KIND_LABELS, PLACE(member)

static const struct field fields[] = {
	GROUP("k8s", "Kubernetes' view of the container"),
	{.name = "k8s.node",
	 .doc = "Node of the cluster",
	 TEXT(k8s_node),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 16},
	{.name = "k8s.namespace",
	 .doc = "Namespace of the pod",
	 TEXT(k8s_namespace),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 16},
	{.name = "k8s.podName",
	 .doc = "Pod",
	 TEXT(k8s_pod),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 24},
	{.name = "k8s.podUID",
	 .doc = "UID of the pod",
	 TEXT(k8s_pod_uid),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 36},
	{.name = "k8s.podLabels",
	 .doc = "Labels of the pod",
	 LABELS(k8s_labels),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY},
	{.name = "k8s.containerName",
	 .doc = "Name of the container in its pod",
	 TEXT(k8s_container),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 16},
	{.name = "k8s.hostnetwork",
	 .doc = "The pod has the host's network",
	 BOOL(k8s_hostnetwork),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY},
	{.name = "k8s.podIP",
	 .doc = "Address of the pod",
	 TEXT(k8s_pod_ip),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 15},
	GROUP("k8s.owner", "What the pod belongs to"),
	{.name = "k8s.owner.kind",
	 .doc = "Kind of what the pod belongs to: Deployment, DaemonSet …",
	 TEXT(k8s_owner_kind),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 12},
	{.name = "k8s.owner.name",
	 .doc = "Name of what the pod belongs to",
	 TEXT(k8s_owner_name),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 20},
	GROUP("runtime", "The container as its runtime knows it"),
	{.name = "runtime.containerName",
	 .doc = "Name of the container; its id where it has none",
	 TEXT(name),
	 .width = 16},
	{.name = "runtime.runtimeName",
	 .doc = "Runtime of the container",
	 TEXT(runtime),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 11},
	{.name = "runtime.containerId",
	 .doc = "Id of the container",
	 TEXT(id),
	 .flags = FIELD_HIDDEN,
	 .width = 13},
	{.name = "runtime.containerPid",
	 .doc = "First process of the container, as the host numbers it",
	 NUMBER(pid),
	 .type = "g_pid",
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY},
	{.name = "runtime.containerImageName",
	 .doc = "Image of the container",
	 TEXT(image_name),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 24},
	{.name = "runtime.containerImageId",
	 .doc = "Id of the image",
	 TEXT(image_id),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 13},
	{.name = "runtime.containerImageDigest",
	 .doc = "Digest of the image",
	 TEXT(image_digest),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 20},
	{.name = "runtime.containerStartedAt",
	 .doc = "When the container's first process was made",
	 NUMBER(started_boot_ns),
	 .type = "g_time",
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY},
	{.name = "runtime.containerLabels",
	 .doc = "Labels that the container itself was given",
	 LABELS(labels),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY},
	{.name = "runtime.outerContainer",
	 .doc = "Container that the container runs in",
	 TEXT(outer_name),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 16},
	{.name = "runtime.resolved",
	 .doc = "False where not all of this could be found out in time",
	 BOOL(resolved),
	 .flags = FIELD_HIDDEN},
	{.name = "runtime.cgroupId",
	 .doc = "Id of its cgroup (v2); 1 is the root, where only v1 is used",
	 NUMBER(cgroup_id),
	 .type = "g_cgroup",
	 .flags = FIELD_HIDDEN},
	{.name = "runtime.mntnsId",
	 .doc = "Its mount namespace",
	 NUMBER(mntns),
	 .flags = FIELD_HIDDEN | FIELD_RIGHT,
	 .width = 10},
	{.name = "runtime.netnsId",
	 .doc = "Its network namespace",
	 NUMBER(netns),
	 .flags = FIELD_HIDDEN | FIELD_RIGHT,
	 .width = 10},
	{.name = "runtime.pidnsId",
	 .doc = "Its pid namespace",
	 NUMBER(pidns),
	 .flags = FIELD_HIDDEN | FIELD_RIGHT,
	 .width = 10},
	{.name = "runtime.cgroupPath",
	 .doc = "Its cgroup, below the hierarchy's root",
	 TEXT(cgroup_path),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 32,
	 .ellipsis = ELLIPSIS_START},
	{.name = "runtime.bundle",
	 .doc = "OCI bundle of the container",
	 TEXT(bundle),
	 .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY,
	 .width = 32,
	 .ellipsis = ELLIPSIS_START},
};

const struct field *container_schema_fields(size_t *ret_n)
{
	*ret_n = array_size(fields);
	return fields;
}

int container_add_fields(struct schema *s, struct err *err)
{
	return schema_add_table(s, fields, array_size(fields), err);
}

int container_extend_schema(const struct schema *plain, struct schema **ret, struct err *err)
{
	_cleanup_(schema_unrefp) struct schema *s =
		schema_new(plain->gadget, plain->name, plain->record_size);
	int r = schema_add_table(s, plain->fields, plain->n_fields, err);

	schema_set_sort(s, plain->sort);
	if (!r)
		r = container_add_fields(s, err);
	if (!r)
		r = schema_finish(s, err);
	if (!r)
		*ret = take(s);
	return r;
}
