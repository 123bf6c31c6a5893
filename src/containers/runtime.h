/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source of containers' names: one file per runtime, which registers itself with RUNTIME(). Given
 * a container whose pid, cgroup path and namespaces are known, a source says what its runtime's
 * state on disk tells, at once. What the disk does not tell, the runtime's daemon may be asked, and
 * answers later: see daemon.h.
 */
#pragma once

#include <stdbool.h>

#include "base/registry.h"
#include "containers/cmdline.h"
#include "containers/container.h"

struct daemon_kind;
struct states;
struct trouble;

struct runtime_context {
	const char *host_root;	 /* "" or a prefix; open below it with RESOLVE_IN_ROOT */
	struct states *states;	 /* of OCI runtimes, below host_root */
	struct trouble *trouble; /* NULL: nobody is told */
};

/* What else is known about a container that a name is looked for. */
struct clues {
	uint32_t pid; /* its first process, as its runtime numbers it */
	uint64_t found_boot_ns;
	struct cmdline parent;	/* of the process above it; all NULL: that is no runtime */
	const char *parent_cwd; /* of a shim: the bundle; NULL: not known */
};

typedef void runtime_list_fn(void *arg, uint32_t pid, uint64_t start_ticks);

struct runtime {
	const char *name;
	/*
	 * Each has its own; lower is asked first, and all are asked: what an earlier one filled
	 * stays, unless a later one knows better (Podman's names over those of the runc that it
	 * uses).
	 */
	int order;

	/* Fills what it knows of c (id, name, runtime, bundle, image …). True: c is a container of
	 * this runtime. */
	bool (*resolve)(const struct runtime_context *ctx, struct container *c,
			const struct clues *clues);

	/*
	 * Calls fn for the first process of each container that the runtime's state lists, with the
	 * start of the process in ticks as in /proc/PID/stat (0: not told). May be NULL.
	 */
	void (*list)(const struct runtime_context *ctx, runtime_list_fn *fn, void *arg);

	const struct daemon_kind *daemon; /* NULL: the disk tells all */
};

#define RUNTIME(r) REGISTER(ig_runtimes, struct runtime, r)
REGISTERED(ig_runtimes, struct runtime);
