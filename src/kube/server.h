/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A way to ask the API server, one request at a time: from within a pod (kube/access.h), or by
 * kubectl's proxy (kube/kube.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct kube_server;

/* As struct http2_request has them (net/http2_get.h). */
struct kube_request {
	const char *path;
	size_t max_body;
	uint64_t silence_ns;
	void (*on_part)(void *ctx, const char *bytes, size_t n);
	void (*done)(void *ctx, const struct err *err, unsigned int status, struct buf *body);
	void *ctx;
};

struct kube_server_ops {
	/* `done` is never called from within; not at all where it fails. */
	int (*ask)(struct kube_server *s, const struct kube_request *q, struct err *err);
	void (*cancel)(struct kube_server *s);	/* the request, if there is one */
	void (*forsake)(struct kube_server *s); /* the connection is of no more use */
	void (*free)(struct kube_server *s);
};

struct kube_server {
	const struct kube_server_ops *ops;
};
