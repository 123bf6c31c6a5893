/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ig daemon --compat: the port at which clients of another project look for a pod's agent. They
 * reach it by a port-forward through the API server, which asks RBAC for it, and speak no TLS.
 */
#pragma once

#define COMPAT_ADDRESS "127.0.0.1:8080"

struct api;
struct err;
struct grpc_server;
struct reactor;

/*
 * After manager_start(). A server of package `api` alone; api is borrowed. -EPERM: our network is
 * the machine's, where the port would be every user's.
 */
int daemon_compat_start(struct reactor *r, struct api *api, struct grpc_server **ret,
			struct err *err);
