/* SPDX-License-Identifier: Apache-2.0 */
/* The agents of a cluster: the pods of the DaemonSet, by its label, and where they run. */
#pragma once

#include <stdbool.h>
#include <jansson.h>
#include <stddef.h>

struct buf;
struct err;
struct kube;

#define AGENT_NAMESPACE "gadget"
#define AGENT_LABEL "k8s-app=gadget"
#define AGENT_CONTAINER "gadget"

struct agent {
	char *node, *pod, *namespace_, *image;
	int code;  /* 0: ready; else -EHOSTDOWN, -ENOMEDIUM: why it is not, with words */
	char *why; /* NULL: ready */
};

struct agents {
	struct agent *items; /* one for each node, in order of its name */
	size_t n, room;
};

/*
 * Waits. namespace_ NULL: AGENT_NAMESPACE. -ENOPKG: there are none; else as kube_get(). What a
 * stranger says in a pod is escaped.
 */
int agents_list(struct kube *k, const char *namespace_, struct agents *ret, struct err *err);
void agents_done(struct agents *a);

/*
 * From a pod. node "": it is on none yet. agent_done() also of what is zeroed.
 */
struct agent agent_of(const json_t *pod);
void agent_done(struct agent *a);

/* Those pods for a reflector: path and query, appended. */
void agents_where(const char *namespace_, struct buf *path, struct buf *query);

/* From one page of a list of pods, added. -EBADMSG: it is none; -ENOSPC. For agents_list(). */
int agents_add(struct agents *a, const json_t *list, struct err *err);
