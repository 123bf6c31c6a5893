/* SPDX-License-Identifier: Apache-2.0 */
/* A pod, as the API server describes it: v1.Pod, as JSON. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "containers/containers.h"

/* What a pod belongs to, in the words of whoever made that. NULL: to nothing. */
struct pod_owner {
	const char *kind; /* "Deployment"; points into the object, or is constant */
	char *name;
};
void pod_owner_done(struct pod_owner *o);

/*
 * What is known of a pod; texts point into the object and into *owner. The pods of a Deployment
 * belong to a ReplicaSet of it, those of a CronJob to a Job of it: told is the one that people know
 * them by. False: it is no pod. Else facts->labels and *owner are the caller's to release.
 */
bool pod_read(const json_t *object, struct pod_facts *facts, struct pod_owner *owner);

const char *pod_uid(const json_t *object); /* as its runtime knows it; NULL: none */
