/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceloop over HTTP on a unix socket, for curl and for programs that know kinvolk/traceloop's:
 *
 *   /list                                        a line for each ring
 *   /add?cgrouppath=PATH&name=NAME               "added as id N"
 *   /dump?id=N  /dump-by-name?name=  /dump-by-cgroup?cgroup=  /dump-by-traceid?traceid=
 *   /dump-pod?namespace=&podname=[&idx=]         what it holds
 *   /close?id=N  /close-by-name?name=            "closed"
 *
 * The method does not matter; parameters may be in the query or in a form's body. format=json makes
 * JSON of any answer: of /list an array, of a dump an object a line.
 */
#pragma once

#include <sys/types.h>

#include "traceloop/traceloop.h"

struct traceloop_service;

struct traceloop_service_options {
	const char *socket;	       /* path; its folder is made */
	gid_t group;		       /* who may use it beside root; (gid_t)-1: nobody */
	const char *node;	       /* what /list calls this node; NULL: its host name */
	struct traceloop_options loop; /* selector NULL: all but sandboxes */
};

int traceloop_service_new(struct reactor *r, struct containers *cs,
			  const struct traceloop_service_options *o, struct traceloop_service **ret,
			  struct err *err);
/* What recording costs. */
void traceloop_service_cost(const struct traceloop_service *s, struct traceloop_cost *ret);

/* NULL is fine; returns NULL. Before the end of the container collection. */
struct traceloop_service *traceloop_service_free(struct traceloop_service *s);
