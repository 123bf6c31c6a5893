/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, as plain data. Text is NULL where it is not known. A container is reference
 * counted: who keeps a pointer beyond a call takes a reference; records name it by `key`. It is in
 * a pod where k8s_pod is set.
 *
 * container_schema_fields() describes struct container to columns/, so that its fields are shown,
 * filtered and sorted as any record's are (part PART_CONTAINER).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/owners.h"
#include "columns/schema.h"

struct container {
	char *k8s_node; /* first: a row of a node's own has this alone as its part */
	unsigned int refs;
	uint64_t key;	    /* g_container: slot in the low 32 bits */
	uint64_t node_key;  /* where key is a cluster's: the one that its node's daemon knows */
	uint64_t cgroup_id; /* cgroup v2 id; 1 or that of a parent where the runtime uses v1 only */
	uint64_t mntns, netns, pidns; /* inode numbers */
	uint32_t pid;		      /* first process, in the host's pid namespace */
	uint64_t started_boot_ns;
	uint64_t started_real_ns; /* the same as Unix time */

	char *id;
	char *name;    /* never NULL: the id where the runtime knows no name */
	char *runtime; /* "runc", "podman", …; NULL: not known */
	char *bundle;
	char *cgroup_path; /* below the cgroup root, "/…" */
	char *image_name, *image_id, *image_digest;

	char *k8s_namespace, *k8s_pod, *k8s_pod_uid, *k8s_container;
	char *k8s_pod_ip;
	char *k8s_owner_kind, *k8s_owner_name; /* of the pod: a Deployment, say */
	bool k8s_hostnetwork;
	struct labels k8s_labels; /* the pod's */

	struct labels annotations;
	struct labels labels; /* its own, that its runtime keeps (docker run --label) */

	/* The container that it runs in (reference) and its name, both by container_set_outer(). */
	struct container *outer;
	char *outer_name;

	struct owner_names *owners; /* of its own users and groups; NULL: none were found */
	uint64_t owners_due;	    /* boot clock: its files are to be looked at again */

	bool sandbox;	  /* a pod's pause container */
	bool pending;	  /* its names are still being looked for */
	bool resolved;	  /* false: somebody could tell what is NULL or empty here, and has not */
	bool unaskable;	  /* not resolved, for want of a daemon to ask: nobody will tell */
	uint64_t version; /* of its contents: a row's container_version; 0: not known */

	bool by_namespace; /* found by mount namespace: its cgroup is shared with others */
	bool ended;
	uint64_t ended_boot_ns;
};

/* A node's own, which rows of no container have in a cluster, is one with k8s_node alone. */
struct container *container_new(void); /* one reference; resolved */
struct container *container_ref(struct container *c);
struct container *container_unref(struct container *c); /* returns NULL; NULL is fine */
void container_unrefp(struct container **c);

/*
 * c runs in `outer`, whose reference and present name it gets; NULL: in none. The same again after
 * outer's name changed. No container may be within itself.
 */
void container_set_outer(struct container *c, struct container *outer);

/* What -l selects by: the pod's labels, or its own where it is in none. */
const struct labels *container_labels(const struct container *c);

/*
 * A row of c, or of none (NULL): then the names of users and groups are `host`'s (NULL: this
 * machine's). All of it is borrowed.
 */
struct row container_row(const struct container *c, const void *record, uint32_t size,
			 struct owner_names *host);

static inline uint32_t container_slot(uint64_t key)
{
	return (uint32_t)key;
}

const char *container_annotation(const struct container *c, const char *key); /* NULL: none */

/* Fields named as existing clients know them: runtime.containerName, k8s.podName … */
const struct field *container_schema_fields(size_t *ret_n);

/* Adds them to a record's schema. */
int container_add_fields(struct schema *s, struct err *err);

/* A new schema: a record's that came from outside, with a container's fields added to it. */
int container_extend_schema(const struct schema *plain, struct schema **ret, struct err *err);
