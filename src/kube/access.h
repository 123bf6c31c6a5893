/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a program in a pod reaches its cluster's API server: by what the kubelet gives to each pod.
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod
 *
 * Life: kube_access_in_cluster(), kube_access_done().
 */
#pragma once

#include "net/address.h"

struct err;
struct http2_client;
struct kube_server;
struct reactor;
struct tls;

struct kube_access {
	struct address server;
	char *authority;  /* the server as in a URL */
	char *ca, *token; /* files; both change while we run, and are read when they are needed */
};

/* The folder of the service account in a pod. */
#define KUBE_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/*
 * -ENOENT: KUBERNETES_SERVICE_HOST or _PORT is not set, so this is no pod; -EINVAL: they are not an
 * address. folder: of ca.crt and token.
 */
int kube_access_in_cluster(const char *folder, struct kube_access *ret, struct err *err);
void kube_access_done(struct kube_access *a);

struct kube_connection {
	struct tls *tls;
	struct http2_client *http; /* NULL: none */
};

/* One that is being made. -errno of a file, -EINVAL of what is in it, or of a socket. */
int kube_access_connect(const struct kube_access *a, struct reactor *r, struct kube_connection *ret,
			struct err *err);
void kube_connection_close(struct kube_connection *c); /* one that is zeroed is fine, and left */

/* For a reflector; access stays the caller's. */
struct kube_server *kube_access_server(const struct kube_access *access, struct reactor *r);

/* "Bearer …", as a new string; NULL: err says why. */
char *kube_authorization(const struct kube_access *a, struct err *err);
