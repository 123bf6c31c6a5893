/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes the agents of a cluster: the manifests of deploy/kubernetes/base, which are in the
 * program, with what a user may have otherwise.
 */
#pragma once

#include <stdbool.h>

struct buf;
struct err;

struct manifest_options {
	const char *namespace_; /* NULL: as the files have it */
	const char *image;	/* the same */
	const char
		*node_selector; /* "key=value,…", of nodes that are to have an agent; NULL: all */
	bool compat;		/* as deploy/kubernetes/compat: for clients that forward a port */
};

/* As YAML, appended. -EINVAL: a value that cannot be one. */
int manifests_put(const struct manifest_options *o, struct buf *out, struct err *err);
