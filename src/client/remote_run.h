/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that come from a daemon, ours or another one of the ecosystem, as if they were made here: of
 * a gadget that runs there, of an instance that is read; and of ours also those of a record file,
 * and its containers.
 *
 * Life: remote_run_new() asks for it; the reader is told of all, first `started`, last `ended`,
 * after which nothing comes; remote_run_stop() asks for a gadget's end, and the last rows come
 * before it; remote_run_free(), not from within the reader's functions.
 */
#pragma once

#include "client/remote.h"
#include "containers/selector.h"
#include "traces/traces.h"
#include "wire/wire.h"

struct remote_run;

/*
 * What a daemon knows of a container's records in the end. name "": no container, or not known.
 * key: as in the container's rows; 0: of none, or of earlier containers that share a line.
 */
typedef void remote_totals_fn(void *ctx, const char *name, uint64_t key, struct totals n);

struct remote_reader {
	void *ctx;
	void (*started)(void *ctx, const struct wire_gadget *g); /* may be NULL */
	void (*row)(void *ctx, unsigned int source, const struct row *row);
	void (*table_end)(void *ctx, unsigned int source);
	/* c has a name and a key only; NULL: not known which. */
	void (*lost)(void *ctx, unsigned int source, const struct container *c, uint64_t count);
	void (*log)(void *ctx, unsigned int severity, const char *text); /* may be NULL */
	/* err NULL: as it should. */
	void (*ended)(void *ctx, const struct err *err);
};

struct remote_request {
	const char *image; /* run this gadget */
	const struct labels *params;
	const char *instance;	  /* or read this instance */
	uint64_t last;		  /* of its past rows, so many; UINT64_MAX: all that are kept */
	const char *const *files; /* or replay these of its record files, as one stream */
	size_t n_files;
	const char *ring;      /* or what its flight recorder has of this container */
	const char *from, *to; /* of these, as record_times() reads them; NULL: all */
	/* Or list these; with files: records of these only. */
	const struct selector_options *containers;
	bool watch; /* and each change of them */
};

struct remote_run *remote_run_new(struct remote *r, const struct remote_request *request,
				  const struct remote_reader *reader);
void remote_run_stop(struct remote_run *run);
/* After `started`, also from within: as wire_gadget_share(). */
void remote_run_share(struct remote_run *run, size_t source, struct schema *same);
struct remote_run *remote_run_free(struct remote_run *run); /* NULL is fine; returns NULL */

/*
 * After the end. The whole run's totals as the daemon counted them, and by how many counters and
 * readings differ. False: it did not say; then rows that came, and gaps, are all that is known.
 */
bool remote_run_totals(const struct remote_run *run, struct totals *ret, uint64_t *ret_unaccounted);
void remote_run_each_total(const struct remote_run *run, remote_totals_fn *fn, void *ctx);
/* Rows that did not come: by gaps in their numbers; and of an instance those that were said lost.
 */
uint64_t remote_run_missed(const struct remote_run *run);

/*
 * What a gadget is, for which it need not run: with these parameters (NULL: none), which the daemon
 * judges as it would for a run. Or what an instance is. Both wait.
 */
int remote_gadget(struct remote *r, const char *image, const struct labels *params,
		  struct wire_gadget **ret, struct err *err);
int remote_instance(struct remote *r, const char *id, struct wire_gadget **ret, struct err *err);

/* A gadget that is to run at the daemon whether it is read or not. */
struct remote_new_instance {
	const char *image;
	const struct labels *params; /* NULL: none */
	uint64_t timeout_ns;	     /* 0: none */
	const char *name;	     /* NULL: as the gadget */
	uint32_t history;	     /* records that are kept, up to INT32_MAX; 0: as it likes */
};

/* Waits. *ret_id: a new string. -EEXIST: the name is taken. */
int remote_create_instance(struct remote *r, const struct remote_new_instance *wanted,
			   char **ret_id, struct err *err);
