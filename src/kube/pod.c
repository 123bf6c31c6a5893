// SPDX-License-Identifier: Apache-2.0
#include "kube/pod.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

void pod_owner_done(struct pod_owner *o)
{
	free(o->name);
	*o = (struct pod_owner){0};
}

/* A pod of a file on the node has one for the kubelet, and another for the server's copy of it. */
const char *pod_uid(const json_t *object)
{
	const json_t *meta = json_object_get(object, "metadata");
	const char *uid = text(json_object_get(meta, "annotations"), "kubernetes.io/config.mirror");

	uid = uid ?: text(meta, "uid");
	return uid && *uid ? uid : NULL;
}

/* ---- owner ----------------------------------------------------------------------- */

static const json_t *controller(const json_t *meta)
{
	const json_t *all = json_object_get(meta, "ownerReferences"), *one;
	size_t i;

	json_array_foreach(all, i, one)
		if (json_is_true(json_object_get(one, "controller")))
			return one;
	return NULL;
}

/* A Deployment calls its ReplicaSet NAME-HASH, and labels its pods with the hash. */
static char *deployment_of(const char *replica_set, const json_t *labels)
{
	const char *hash = text(labels, "pod-template-hash");
	size_t len = strlen(replica_set), hash_len = hash ? strlen(hash) : 0;

	if (!hash_len || len <= hash_len + 1 || strcmp(replica_set + len - hash_len, hash) ||
	    replica_set[len - hash_len - 1] != '-')
		return NULL;
	return xstrndup(replica_set, len - hash_len - 1);
}

/* A CronJob calls its Job NAME-MINUTES, the time that it was due at since 1970. */
static char *cron_job_of(const char *job)
{
	const char *dash = strrchr(job, '-');
	size_t digits = dash ? strspn(dash + 1, "0123456789") : 0;

	if (!dash || dash == job || dash[1 + digits] || digits < 8 || digits > 10)
		return NULL;
	return xstrndup(job, (size_t)(dash - job));
}

static struct pod_owner read_owner(const json_t *meta)
{
	const json_t *one = controller(meta);
	const char *kind = text(one, "kind"), *name = text(one, "name");
	char *above;

	if (!kind || !name)
		return (struct pod_owner){0};
	if (str_equal(kind, "ReplicaSet")) {
		above = deployment_of(name, json_object_get(meta, "labels"));
		if (above)
			return (struct pod_owner){"Deployment", above};
	} else if (str_equal(kind, "Job")) {
		above = cron_job_of(name);
		if (above)
			return (struct pod_owner){"CronJob", above};
	}
	return (struct pod_owner){kind, xstrdup(name)};
}

/* ---- the pod --------------------------------------------------------------------- */

static struct labels read_labels(const json_t *meta)
{
	json_t *all = json_object_get(meta, "labels"), *value;
	struct labels labels = {0};
	const char *key;

	json_object_foreach(all, key, value)
		if (json_is_string(value) && labels.n < MAX_LABELS)
			labels_add(&labels, key, json_string_value(value));
	return labels;
}

bool pod_read(const json_t *object, struct pod_facts *facts, struct pod_owner *owner)
{
	const json_t *meta = json_object_get(object, "metadata");
	const char *ip = text(json_object_get(object, "status"), "podIP");

	if (!pod_uid(object))
		return false;
	*owner = read_owner(meta);
	*facts = (struct pod_facts){
		.uid = pod_uid(object),
		.ip = ip && *ip ? ip : NULL,
		.owner_kind = owner->kind,
		.owner_name = owner->name,
		.labels = read_labels(meta),
	};
	return true;
}
