/* SPDX-License-Identifier: Apache-2.0 */
/* What cluster.c (opening, closing), cluster_reach.c and cluster_follow.c know of each other. */
#pragma once

#include <stdbool.h>

#include "base/reactor.h"
#include "client/cluster.h"
#include "kube/agents.h"

struct grpc_call;
struct kube;
struct kube_exec;
struct reflector;

/* A node, and its being reached: an exec, then a call by which its daemon shows itself. */
struct reach {
	struct cluster_node node;
	struct cluster *cluster;
	struct agent agent; /* as last told */
	struct kube_exec *exec;
	struct remote *tried; /* what the next is made at */
	struct grpc_call *hello;
	bool queues; /* for a connection to kubectl */
	bool lost;   /* node.remote is of no more use */

	struct grpc_call *beat; /* asked whether it is there, and not answered yet */
	bool silent;

	struct timer again;
	uint64_t wait_ns;    /* until it is tried again */
	uint64_t reached_ns; /* monotonic clock */
};

struct cluster {
	struct reactor *reactor;
	struct kube *kube;
	char *namespace_; /* of the agents; NULL: the usual one */
	char **globs;	  /* of names of nodes that are wanted */
	size_t n_globs;
	const char *const *program;
	struct reach **nodes;
	size_t n, room;
	size_t numbers; /* that nodes were given */
	uint64_t keys;	/* that containers were given */
	size_t waiting; /* nodes that opening waits for */
	struct timer timer;
	bool too_late;

	struct timer beats;
	struct reflector *agents; /* NULL: it is not followed */
	const struct cluster_events *events;
	void *ctx;
};

/* NULL: it is not wanted, or there are too many. a is taken over. */
struct reach *cluster_add(struct cluster *c, struct agent *a);

struct container *cluster_host(const char *node); /* the node's own; to be released */

bool reach_is_under_way(const struct reach *r);
void reach_begin(struct reach *r);
void reach_give_up(struct reach *r); /* nothing came of it in time */
void reach_free(struct reach *r);
void reach_explain(struct err *why); /* what the program in the agent logged, in our words */

void reach_beat(struct reach *r); /* asks it, or says that it has not answered */
void reach_end_beat(struct reach *r);
