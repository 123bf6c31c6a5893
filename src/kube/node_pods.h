/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pods of one node, from the API server, for the node's container collection: labels, address
 * and owner. Only this node's are asked for, so the service account needs to `list` and `watch`
 * pods, and an agent costs the server one watch.
 *
 * Life: node_pods_new(); all else comes when the reactor is dispatched; node_pods_free().
 */
#pragma once

struct containers;
struct kube_access;
struct node_pods;
struct reactor;

struct node_pods_options {
	const struct kube_access *access; /* stays the caller's */
	const char *node;		  /* its name in the cluster */
	struct containers *containers;
	/* The server cannot be had; later that it can again. */
	void (*warn)(void *ctx, const char *text);
	void *ctx;
};

struct node_pods *node_pods_new(struct reactor *r, const struct node_pods_options *o);
struct node_pods *node_pods_free(struct node_pods *n); /* NULL is fine; returns NULL */
