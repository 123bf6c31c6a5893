/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Kubernetes' container runtime interface, which containerd and CRI-O serve. */
#pragma once

#include "containers/rpc.h"

/*
 * Asks for c's pod, by the id of its sandbox (NULL: not known, it is asked for as well), and, where
 * c is not that sandbox, for c.
 */
void cri_call(struct rpc *rpc, const struct container *c, const char *sandbox_id);

/* What the answers tell: PodSandboxStatusResponse, ContainerStatusResponse, ListContainersResponse.
 */
rpc_fill_fn cri_fill_pod, cri_fill_container, cri_fill_listed;
