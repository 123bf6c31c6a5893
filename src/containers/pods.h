/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody who knows all pods of this node (Kubernetes' API server) tells of them. It is kept,
 * since a pod may be known before its containers are, and fills in what a container's runtime has
 * not told.
 */
#pragma once

#include <sys/queue.h>

#include "containers/containers.h"

struct pod {
	TAILQ_ENTRY(pod) link;
	char *uid, *ip, *owner_kind, *owner_name;
	struct labels labels;
	bool listed; /* in the list that is just being told */
};
TAILQ_HEAD(pods, pod);

void pods_init(struct pods *p);
void pods_done(struct pods *p);

void pods_fill(const struct pods *p, struct container *c);
