/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source of containers' names: one file per runtime, which registers itself with RUNTIME(). Given a container
 * whose pid, cgroup path and namespaces are known, a source says what its runtime's state on disk tells.
 */
#pragma once

#include <stdbool.h>

#include "base/registry.h"
#include "containers/container.h"

struct runtime_context {
	const char *host_root;	       /* "" or a prefix; open below it with RESOLVE_IN_ROOT */
	const char *const *runc_roots; /* extra state roots, NULL-terminated; may be NULL */
};

struct runtime {
	const char *name;
	/*
	 * Each has its own; lower is asked first, and all are asked: what an earlier one filled stays,
	 * unless a later one knows better (Podman's names over those of the runc that it uses).
	 */
	int order;

	/* Fills what it knows of c (id, name, runtime, bundle, image …). True: c is a container of this runtime. */
	bool (*resolve)(const struct runtime_context *ctx, struct container *c);

	/* Calls fn for the first process of each container that the runtime's state lists as running. May be NULL. */
	void (*list)(const struct runtime_context *ctx, void (*fn)(void *arg, uint32_t pid), void *arg);
};

#define RUNTIME(r) REGISTER(ig_runtimes, struct runtime, r)
REGISTERED(ig_runtimes, struct runtime);
