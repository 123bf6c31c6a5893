/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cluster a command of kubectl-gadget is about, and which of its nodes: kubectl's own flags,
 * which go to kubectl.
 */
#pragma once

#include "client/cluster.h"
#include "cmd/command.h"
#include "cmd/remote_command.h"

extern const struct flag_table cluster_flags, node_flags;

/* Before the command line is parsed, since words of it ask the cluster. */
int cluster_flags_look(const struct command *c, int argc, char **argv, struct err *err);

const char *const *cluster_flags_kubectl(void); /* those that go to kubectl; NULL-terminated */
const char *cluster_flags_namespace(void);	/* of the agents; NULL: the usual one */

/*
 * Reaches the nodes, and says on stderr which were not. Errors as cluster_open()'s; -EINVAL in
 * words of kubectl.
 */
int cluster_flags_open(struct cluster **ret, struct err *err);

/* The selector is of pods: those of the namespace that kubectl would take, unless -n or -A is
 * given. */
int cluster_flags_select(struct err *err);

/*
 * Parses the flags, reaches the nodes, and does it; the exit code. what: as for remote_command().
 */
typedef int cluster_command_fn(struct cluster *c, const struct words *words, struct err *err);
int cluster_command(const char *name, int argc, char **argv, const char *what,
		    cluster_command_fn *fn);
