/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What annotations and labels tell of a container's pod. Every runtime of Kubernetes' writes down
 * the same facts under keys of its own; no two mean different things by one key, so one table knows
 * them all.
 */
#pragma once

#include "containers/container.h"

/* Fills what c lacks: names of pod and container, uid, image, address, whether it is a sandbox. */
void kubernetes_fill(struct container *c, const struct labels *from);

/* Adds a pod's labels, without those that the kubelet and the runtime add for themselves. */
void kubernetes_add_labels(struct container *c, const struct labels *from);

/* The id of the pod's sandbox, as the annotations tell; NULL: they do not. */
const char *kubernetes_sandbox_id(const struct container *c);
