/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, as plain data. Text is NULL where it is not known. A container is reference
 * counted: who keeps a pointer beyond a call takes a reference; records name it by `key`.
 *
 * container_schema_fields() describes struct container to columns/, so that its fields are shown,
 * filtered and sorted as any record's are (part PART_CONTAINER).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/schema.h"

struct container_label {
	char *key, *value;
};

struct container {
	unsigned int refs;
	uint64_t key;		/* g_container: slot in the low 32 bits */
	uint64_t cgroup_id;	/* cgroup v2 id; 1 or that of a parent where the runtime uses v1 only */
	uint64_t mntns, netns, pidns; /* inode numbers */
	uint32_t pid;		/* first process, in the host's pid namespace */
	uint64_t started_boot_ns;
	uint64_t started_real_ns; /* the same as Unix time */

	char *id;
	char *name;		/* never NULL: the id where the runtime knows no name */
	char *runtime;		/* "runc", "podman", …; NULL: not known */
	char *bundle;
	char *cgroup_path;	/* below the cgroup root, "/…" */
	char *image_name, *image_id, *image_digest;

	char *k8s_namespace, *k8s_pod, *k8s_pod_uid, *k8s_container; /* filled by issue B's sources */

	struct container_label *annotations;
	size_t n_annotations;

	bool by_namespace;	/* found by mount namespace: its cgroup is shared with others */
	bool ended;
	uint64_t ended_boot_ns;
};

struct container *container_new(void); /* one reference */
struct container *container_ref(struct container *c);
struct container *container_unref(struct container *c); /* returns NULL; NULL is fine */
void container_unrefp(struct container **c);

static inline uint32_t container_slot(uint64_t key)
{
	return (uint32_t)key;
}

const char *container_annotation(const struct container *c, const char *key); /* NULL: none */

/* Fields named as existing clients know them: runtime.containerName, k8s.podName … */
const struct field *container_schema_fields(size_t *ret_n);

/* Adds them to a record's schema. */
int container_add_fields(struct schema *s, struct err *err);
