/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gadget Tracer Manager: what a node's daemon knows, and what its services (api/) are faces of.
 * It owns the container collection and the trace collection, and keeps
 *
 *   tracers    a selector by an id, as pinned maps that any program may use (tracer.h)
 *   instances  gadgets that run whether somebody reads or not (instance.h)
 *   runs       a gadget that runs for one client, or as an instance (run.h)
 *
 * Life: manager_new() takes the node (one manager at a time, -EBUSY else), manager_start() starts
 * what is kept on disk, all else happens by the reactor; manager_stop() gives readers their last
 * records; manager_free().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columns/format.h"
#include "containers/containers.h"
#include "traces/traces.h"

struct manager;
struct reactor;

struct manager_options {
	struct containers_options containers;
	const char *state_dir; /* instances and tracers are kept below; NULL: nowhere */
	const char *pin_dir;   /* on a bpffs, made if need be; NULL: tracers have no pinned maps */
	void (*warn)(void *ctx, const char *text); /* what its owner should know; may be NULL */
	void *warn_ctx;
};

int manager_new(struct reactor *r, const struct manager_options *o, struct manager **ret,
		struct err *err);
int manager_start(struct manager *m, struct err *err);
void manager_stop(struct manager *m);
struct manager *manager_free(struct manager *m); /* NULL is fine; returns NULL */

struct reactor *manager_reactor(struct manager *m);
struct containers *manager_containers(struct manager *m);
struct traces *manager_traces(struct manager *m);
const struct clock_base *manager_clock(struct manager *m);

/* Everything, as JSON for a person who looks for a fault. */
struct buf;
void manager_dump(struct manager *m, struct buf *out);
