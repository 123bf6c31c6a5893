/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceloop: the last system calls of every container that is wanted. Each container's calls are
 * kept in a ring of its own, from its first instruction on, the newest in place of the oldest. A
 * ring outlives its container, until it is closed, or its memory is needed, or it grew old.
 *
 * Rings are made ahead, so that the kernel side has one for a container that it meets first: a new
 * container is never refused. Over the budget the rings of ended containers go first, the one that
 * ended first before the others; where all are of running ones the budget is passed, and it is
 * said. Memory once taken stays, for the next container.
 *
 * Life: traceloop_new() before or after containers_start(); all else happens by the reactor, which
 * dispatches the container collection as well; traceloop_free() before the collection's end. It
 * keeps no container from being forgotten.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "containers/container.h"
#include "gadget/cost.h"

struct buf;
struct containers;
struct err;
struct reactor;
struct selector;
struct traceloop;

struct traceloop_options {
	const struct selector *selector; /* borrowed; NULL: all, sandboxes as well */
	uint64_t ring_bytes;		 /* of a container, all CPUs together; 0: 1 MiB */
	uint64_t budget_bytes;		 /* of all rings; 0: 256 MiB */
	uint64_t keep_ns;     /* how long after its container's end a ring is kept; 0: 1 h */
	const char *syscalls; /* names, with commas between them; NULL or "": all */
	void (*warn)(void *ctx, const char *text); /* may be NULL */
	void *warn_ctx;
};

/* -EINVAL: an unknown system call; -EPERM, -ENOTSUP, -ENOSPC as of a gadget that is loaded. */
int traceloop_new(struct reactor *r, struct containers *cs, const struct traceloop_options *o,
		  struct traceloop **ret, struct err *err);
struct traceloop *traceloop_free(struct traceloop *t); /* NULL is fine; returns NULL */

/* ---- rings ----------------------------------------------------------------------- */

/* One ring, of a container or of a cgroup that was added. Valid until the reactor runs. */
struct tracelet;

struct tracelet_facts {
	uint64_t id;
	const char *trace_id;	 /* 16 hexadecimal digits, of this ring in all the world */
	const char *name;	 /* the container's, or as it was added */
	const char *cgroup_path; /* NULL: not known */
	uint64_t cgroup_id;
	const struct container *container; /* NULL: a cgroup that was added */
	unsigned int index;		   /* of the pod's containers, by their start */
	bool ended;			   /* nothing is recorded any more */
	int64_t created_ns, deleted_ns;	   /* Unix time; 0: not ended */
};
void tracelet_facts(const struct traceloop *t, const struct tracelet *l,
		    struct tracelet_facts *ret);

void traceloop_each(struct traceloop *t, void (*fn)(void *ctx, struct tracelet *l), void *ctx);

/* NULL: none. Where several are meant: one that is recorded before one that ended, then the newest.
 */
struct tracelet *traceloop_by_id(struct traceloop *t, uint64_t id);
struct tracelet *traceloop_by_trace_id(struct traceloop *t, const char *trace_id);
struct tracelet *traceloop_by_name(struct traceloop *t, const char *name);
struct tracelet *traceloop_by_cgroup(struct traceloop *t, const char *path_or_id);
/* index -1: the newest of its containers */
struct tracelet *traceloop_by_pod(struct traceloop *t, const char *namespace_, const char *pod,
				  int64_t index);

/*
 * Records a cgroup ("/system.slice/cron.service", below the root of cgroup v2), or a container that
 * is not recorded, by its cgroup. -ENOENT: no such cgroup; -EEXIST: it is recorded; -ENOSPC.
 */
int traceloop_add(struct traceloop *t, const char *cgroup_path, const char *name, uint64_t *ret_id,
		  struct err *err);
void tracelet_close(struct traceloop *t, struct tracelet *l); /* what it recorded is gone */

/* ---- what they hold -------------------------------------------------------------- */

enum tracelet_format { TRACELET_TEXT, TRACELET_JSON };

/* Everything that the ring holds now, while recording goes on. -EFBIG: it did not fit into out. */
int tracelet_dump(struct traceloop *t, struct tracelet *l, enum tracelet_format format,
		  struct buf *out);

/*
 * The same, but only what came since it was called for this ring before, a moment ago at the
 * latest: so nothing is told too early for the order of time. Sums are of what came since they were
 * told, and are told when something is gone and, in JSON, at the `last` time, which has the rest.
 */
int tracelet_follow(struct traceloop *t, struct tracelet *l, enum tracelet_format format, bool last,
		    struct buf *out);

struct traceloop_cost {
	uint64_t ring_bytes; /* memory of all, those that lie ready included */
	uint64_t map_bytes;  /* of the other maps */
	struct gadget_runtime runtime;
};
void traceloop_cost(const struct traceloop *t, struct traceloop_cost *ret);
