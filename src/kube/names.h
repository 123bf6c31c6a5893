/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the addresses of a cluster: all its pods and services, listed in pages and then
 * watched, of which kube/addresses.h keeps what there is to keep. RBAC asks for `list` and `watch`
 * of pods and services; who may not have those of the whole cluster gets those of some namespaces.
 *
 * A pod that has ended has no address any more, one on its node's network has none of its own, and
 * neither has a service without a cluster IP.
 *
 * Life: kube_names_new(); all else comes when the reactor is dispatched; kube_names_free().
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "kube/addresses.h"

struct kube_names;
struct kube_server;
struct reactor;

struct kube_names_options {
	struct reactor *reactor;
	struct kube_server *(*server)(void *ctx); /* one for each watch, which takes it over */
	const char *const *namespaces; /* where the whole cluster is not allowed; copied */
	size_t n_namespaces;
	bool labels; /* of pods are wanted as well */
	/* What is not as it should be, and later that it is again. */
	void (*warn)(void *ctx, const char *text);
	void *ctx; /* of both */
};

struct kube_names *kube_names_new(const struct kube_names_options *o);
struct kube_names *kube_names_free(struct kube_names *n); /* NULL is fine; returns NULL */

/* All there were at first are known, or it was refused to tell them. */
bool kube_names_complete(const struct kube_names *n);

const struct kube_addresses *kube_names_addresses(const struct kube_names *n);
