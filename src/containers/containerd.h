/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd's own API tells of a container: GetContainerResponse. */
#pragma once

#include "containers/rpc.h"

/* Of the container itself; of the sandbox of its pod, which has the pod's labels. */
rpc_fill_fn containerd_fill, containerd_fill_from_sandbox;
