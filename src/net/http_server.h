/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 service on a listening socket: a connection brings one request, and ends with
 * its answer. Handlers answer at once. Clients may be hostile, silent or slow: each is dropped in
 * bounded time, and no more than MAX_HTTP_CLIENTS are served at a time; others wait.
 */
#pragma once

#include "base/buf.h"
#include "net/http_request.h"

struct err;
struct reactor;
struct http_server;

struct http_answer {
	unsigned int status; /* 200 at first */
	const char *type;    /* "text/plain; charset=utf-8" at first */
	struct buf body;     /* at most max_body bytes */
};

typedef void http_handler(void *ctx, const struct http_request *q, struct http_answer *a);

/* Takes listen_fd over, also when it fails. */
int http_server_new(struct reactor *r, int listen_fd, size_t max_body, http_handler *fn, void *ctx,
		    struct http_server **ret, struct err *err);
struct http_server *http_server_free(struct http_server *s); /* NULL is fine; returns NULL */
