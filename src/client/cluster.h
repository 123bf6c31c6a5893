/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemons of a cluster's nodes, each as a struct remote over an exec into its agent; all driven
 * by one reactor, behind one kubectl proxy.
 *
 * Life: cluster_open(), which waits until the nodes have answered, or time is up; calls and runs at
 * the nodes that were reached; cluster_follow() for those that come later; cluster_close() after
 * the last call and run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "columns/format.h"
#include "columns/schema.h"

struct buf;
struct cluster;
struct container;
struct remote;

struct cluster_options {
	const char *const *kubectl_flags; /* NULL-terminated; may be NULL */
	const char *namespace_;		  /* of the agents; NULL: kube/agents.h says */
	const char *nodes;		  /* comma list of globs; NULL: all */
	const char *const *program;	  /* in the agents: NULL-terminated; NULL: ig dial-stdio */
	uint64_t timeout_ns;		  /* of reaching the nodes; 0: 10 s */
};

struct cluster_node {
	char *name;
	size_t number;		 /* among the nodes */
	struct remote *remote;	 /* NULL: it was not reached */
	char *version;		 /* of its daemon; NULL: not known */
	struct err why;		 /* code 0: it was reached */
	struct clock_base clock; /* of its rows; for who reads them */
	struct container *host;	 /* has but the node's name: of rows that are of no container */
};

/*
 * At least one node was reached, or an error: what kube_open(), agents_list() and kube_exec() say;
 * -EHOSTDOWN, -ENOMEDIUM: no agent is ready; -EPROTONOSUPPORT: it is of another time; -ENOENT: no
 * such node. The others' faults are in their nodes.
 */
int cluster_open(const struct cluster_options *o, struct cluster **ret, struct err *err);
struct cluster *cluster_close(struct cluster *c); /* NULL is fine; returns NULL */

size_t cluster_n_nodes(const struct cluster *c);
struct cluster_node *cluster_node(struct cluster *c, size_t i); /* in order of names */
struct remote *cluster_first(struct cluster *c); /* one of the daemons, for what all know alike */

/* ---- nodes that come and go ------------------------------------------------------ */

struct cluster_events {
	/*
	 * A node was reached: for the first time, or again (is_back), and then runs at what was its
	 * remote before must be freed within. One that was there at the start is not told.
	 */
	void (*joined)(void *ctx, struct cluster_node *n, bool is_back);
	/* It has not answered for some time, though its connection is there; then that it does. */
	void (*silent)(void *ctx, struct cluster_node *n, bool is_silent);
	/* Those that come are not seen: once, and NULL when they are again. */
	void (*trouble)(void *ctx, const struct err *err);
};

/* events: constant, borrowed. Not after it was followed already. */
void cluster_follow(struct cluster *c, const struct cluster_events *events, void *ctx);
void cluster_unfollow(struct cluster *c); /* one that is not followed is fine */

/* n's remote is of no more use: it is reached again, as long as the cluster is followed. */
void cluster_lost(struct cluster *c, struct cluster_node *n);

/* ---- a service of the agents' that is no daemon ----------------------------------- */

struct cluster_answer {
	const struct err *err; /* why there is none; then status is 0, body NULL */
	unsigned int status;   /* of HTTP */
	struct buf *body;      /* as of http1_fn */
};

struct cluster_question {
	const char *const *program; /* in the agents: HTTP by its stdin and stdout */
	const char *path;
	size_t max_body;
	const struct cluster_node *only; /* NULL: all that were reached */
	/* Once for each, in no order. */
	void (*fn)(void *ctx, struct cluster_node *n, const struct cluster_answer *a);
	void *ctx;
};

/* Asks and waits until all have answered, or failed. */
int cluster_ask(struct cluster *c, const struct cluster_question *q, struct err *err);

/* ---- rows ------------------------------------------------------------------------ */

/*
 * A container of n's as one of all: it is changed to have the node's name, and a key that is no
 * other one's for as long as no MAX_CONTAINERS are newer; node_key is what it was. NULL: the node's
 * own.
 */
struct container *cluster_container(struct cluster_node *n, struct container *c);

/*
 * A row that has come from n, as one of all: its container is as cluster_container() makes it, its
 * times are by n's clock, and its version is no other node's.
 */
struct row cluster_row(struct cluster_node *n, const struct row *row);
