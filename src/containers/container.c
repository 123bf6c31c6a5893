// SPDX-License-Identifier: Apache-2.0
/* A container's life as an object, and its fields as columns/ sees them. */
#include "containers/container.h"

#include <string.h>

#include "base/mem.h"

struct container *container_new(void)
{
	struct container *c = xnew(struct container);

	c->refs = 1;
	return c;
}

struct container *container_ref(struct container *c)
{
	c->refs++;
	return c;
}

static void container_free(struct container *c)
{
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
	for (size_t i = 0; i < c->n_annotations; i++) {
		free(c->annotations[i].key);
		free(c->annotations[i].value);
	}
	free(c->annotations);
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
	for (size_t i = 0; i < c->n_annotations; i++)
		if (!strcmp(c->annotations[i].key, key))
			return c->annotations[i].value;
	return NULL;
}

#define PLACE(member)                                                                      \
	.part = PART_CONTAINER, .parent = -1, .offset = offsetof(struct container, member), \
	.size = sizeof(((struct container *)NULL)->member)
#define GROUP(name_, doc_) { .name = name_, .doc = doc_, .part = PART_CONTAINER, .parent = -1 }
#define TEXT(member) .kind = KIND_CSTR, PLACE(member)
#define NUMBER(member) .kind = KIND_UINT, PLACE(member)

static const struct field fields[] = {
	GROUP("k8s", "Kubernetes' view of the container"),
	{ .name = "k8s.namespace", .doc = "Namespace of the pod", TEXT(k8s_namespace),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 16 },
	{ .name = "k8s.podName", .doc = "Pod", TEXT(k8s_pod),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 24 },
	{ .name = "k8s.podUID", .doc = "UID of the pod", TEXT(k8s_pod_uid),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 36 },
	{ .name = "k8s.containerName", .doc = "Name of the container in its pod", TEXT(k8s_container),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 16 },
	GROUP("runtime", "The container as its runtime knows it"),
	{ .name = "runtime.containerName", .doc = "Name of the container; its id where it has none",
	  TEXT(name), .width = 16 },
	{ .name = "runtime.runtimeName", .doc = "Runtime of the container", TEXT(runtime),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 11 },
	{ .name = "runtime.containerId", .doc = "Id of the container", TEXT(id), .flags = FIELD_HIDDEN,
	  .width = 13 },
	{ .name = "runtime.containerPid", .doc = "First process of the container, as the host numbers it",
	  NUMBER(pid), .type = "g_pid", .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY },
	{ .name = "runtime.containerImageName", .doc = "Image of the container", TEXT(image_name),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 24 },
	{ .name = "runtime.containerImageId", .doc = "Id of the image", TEXT(image_id),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 13 },
	{ .name = "runtime.containerImageDigest", .doc = "Digest of the image", TEXT(image_digest),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 20 },
	{ .name = "runtime.containerStartedAt", .doc = "When the container's first process was made",
	  NUMBER(started_boot_ns), .type = "g_time", .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY },
	{ .name = "runtime.cgroupId", .doc = "Id of its cgroup (v2); 1 is the root, where only v1 is used",
	  NUMBER(cgroup_id), .type = "g_cgroup", .flags = FIELD_HIDDEN },
	{ .name = "runtime.mntnsId", .doc = "Its mount namespace", NUMBER(mntns),
	  .flags = FIELD_HIDDEN | FIELD_RIGHT, .width = 10 },
	{ .name = "runtime.netnsId", .doc = "Its network namespace", NUMBER(netns),
	  .flags = FIELD_HIDDEN | FIELD_RIGHT, .width = 10 },
	{ .name = "runtime.pidnsId", .doc = "Its pid namespace", NUMBER(pidns),
	  .flags = FIELD_HIDDEN | FIELD_RIGHT, .width = 10 },
	{ .name = "runtime.cgroupPath", .doc = "Its cgroup, below the hierarchy's root", TEXT(cgroup_path),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 32, .ellipsis = ELLIPSIS_START },
	{ .name = "runtime.bundle", .doc = "OCI bundle of the container", TEXT(bundle),
	  .flags = FIELD_HIDDEN | FIELD_SKIP_EMPTY, .width = 32, .ellipsis = ELLIPSIS_START },
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
