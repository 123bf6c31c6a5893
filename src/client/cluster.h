/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemons of a cluster's nodes, each as a struct remote over an exec into its agent; all driven
 * by one reactor, behind one kubectl proxy.
 *
 * Life: cluster_open(), which waits until the nodes have answered, or time is up; calls and runs at
 * the nodes that were reached; cluster_close() after the last of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "columns/format.h"
#include "columns/schema.h"

struct cluster;
struct reactor;
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
struct reactor *cluster_reactor(struct cluster *c);
struct remote *cluster_first(struct cluster *c); /* one of the daemons, for what all know alike */

/*
 * A row that has come from n, as one of all: with n's clock, its name as k8s.node, and versions
 * that are no other node's. The row's container, which may be none, is changed to have the name; of
 * none it has a part that is the name alone, which is no whole struct container.
 */
struct row cluster_row(const struct cluster_node *n, const struct row *row);
