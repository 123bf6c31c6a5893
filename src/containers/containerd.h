/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd's own API tells: when it is asked for a container, and by itself. */
#pragma once

#include "containers/listener.h"
#include "containers/rpc.h"

/*
 * Of the container itself; of the sandbox of its pod, which has the pod's labels; of its task,
 * whose first process must be c's.
 */
rpc_fill_fn containerd_fill, containerd_fill_from_sandbox, containerd_fill_task;

/* The namespace of Kubernetes' containers, and of Docker's. */
#define CONTAINERD_KUBERNETES "k8s.io"
#define CONTAINERD_DOCKER "moby"

/* An Envelope of its events. */
void containerd_hear(struct listener *l, const void *bytes, size_t len);

/* For a struct daemon_kind. */
void containerd_listen(struct daemon *d);
void containerd_close(struct daemon *d);
