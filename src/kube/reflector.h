/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one collection of the API server, kept current: listed once, then watched from
 * there on.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 *
 * What goes wrong (no connection, no rights, an answer that is none, a watch whose place in history
 * is gone) is told by `trouble`, and tried again after a wait that doubles up to half a minute.
 *
 * Life: reflector_new(); callbacks come when the reactor is dispatched; reflector_free(), not from
 * within them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct kube_server;
struct reactor;
struct reflector;

/* Objects are valid during the call. */
struct reflector_events {
	/* A list begins: of what was told before, what it does not name until list_end is gone. */
	void (*list_begin)(void *ctx);
	void (*list_end)(void *ctx);
	void (*changed)(void *ctx, const json_t *object); /* it is new, or another than before */
	void (*deleted)(void *ctx, const json_t *object);
	/*
	 * Once for each state: an error (-EPERM: the user may not), or NULL where it goes on well
	 * after one.
	 */
	void (*trouble)(void *ctx, const struct err *err);
};

/*
 * server (kube/server.h) is taken over. path: "/api/v1/pods"; query: "fieldSelector=…",
 * percent-encoded, "" for all. events stay the caller's. page: objects that are asked for at a
 * time.
 */
struct reflector *reflector_new(struct reactor *r, struct kube_server *server, const char *path,
				const char *query, unsigned int page,
				const struct reflector_events *events, void *ctx);
/*
 * The next step is a list, as at first, which also tells that all is well again, where a watch says
 * nothing until something changes. It costs the server more. Of callbacks only from within
 * `trouble`.
 */
void reflector_list(struct reflector *r);
struct reflector *reflector_free(struct reflector *r); /* NULL is fine; returns NULL */
