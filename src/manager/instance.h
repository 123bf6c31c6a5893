/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances: gadgets that go on running while nobody reads, by a name and an id, with their last
 * rows kept for who attaches. They are written to disk and started again after the daemon was.
 */
#pragma once

#include "manager/history.h"
#include "manager/run.h"

struct instance;

struct instance_spec {
	const char *id;	  /* lower-case hex; NULL or "": one is made */
	const char *name; /* NULL or "": the gadget's */
	const char *const *tags;
	size_t n_tags;
	uint64_t history; /* rows that are kept; 0: MAX_HISTORY_RECORDS */
	struct run_spec run;
};

/* All is copied. -EEXIST: name or id; -EINVAL; -ENOSPC: MAX_TRACERS; else as run_start(). */
int instance_create(struct manager *m, const struct instance_spec *spec, struct instance **ret,
		    struct err *err);
int instance_remove(struct manager *m, const char *id_or_name, struct err *err); /* -ENOENT */

/* By id, by the start of one (if only one has it), or by name; NULL and err -ENOENT, -EINVAL. */
struct instance *instance_find(struct manager *m, const char *id_or_name, struct err *err);
void manager_each_instance(struct manager *m, void (*fn)(void *ctx, struct instance *i), void *ctx);

struct instance_facts {
	const char *id, *name;
	const char *const *tags;
	size_t n_tags;
	int64_t created;  /* Unix time, s */
	uint64_t history; /* rows that may be kept */
	size_t kept, readers;
	const struct run_spec *run_spec;
	struct run *run;   /* NULL: it could not be started */
	const char *error; /* why not; NULL: it runs */
};
void instance_facts(const struct instance *i, struct instance_facts *ret);
void instance_each_reader(const struct instance *i, void (*fn)(void *ctx, size_t queued),
			  void *ctx);

/* ---- readers --------------------------------------------------------------------- */

struct instance_reader {
	struct history_reader rows;
	void (*lost)(void *ctx, struct container *c, uint64_t count); /* ctx: rows.ctx */
	size_t (*queued)(void *ctx); /* bytes that its client has not taken yet */
	void (*ended)(void *ctx);    /* the instance is gone, and the attachment with it */
};
struct instance_attachment;

/* The last `last` rows are given at once. -ENOSPC past MAX_READERS; -ESRCH: it does not run. */
int instance_attach(struct instance *i, const struct instance_reader *reader, uint64_t last,
		    struct instance_attachment **ret, struct err *err);
void instance_detach(struct instance_attachment *a); /* NULL is fine */
