/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracers as the page's interface has them: a selector under an id, its containers in two pinned
 * maps that our own gadgets and other programs use, and the records of the runs that are bound to
 * it, as lines of JSON.
 */
#pragma once

#include "manager/manager.h"

struct set;
struct tracer;

struct tracer_spec {
	const char *id; /* letters, digits, "-_."; NULL or "": one is made */
	struct selector_options selector;
};

/* -EEXIST, -EINVAL: not an id; -ENOSPC: MAX_TRACERS; -errno of making and pinning maps. */
int tracer_add(struct manager *m, const struct tracer_spec *spec, struct tracer **ret,
	       struct err *err);
int tracer_remove(struct manager *m, const char *id, struct err *err); /* -ENOENT, -EINVAL: empty */
struct tracer *tracer_find(struct manager *m, const char *id);
void manager_each_tracer(struct manager *m, void (*fn)(void *ctx, struct tracer *t), void *ctx);

const char *tracer_id(const struct tracer *t);
const struct selector *tracer_selector(const struct tracer *t);
const struct set *tracer_set(const struct tracer *t);
const char *tracer_selector_text(const struct tracer *t); /* as JSON */
size_t tracer_n_readers(const struct tracer *t);
void tracer_each_reader(const struct tracer *t, void (*fn)(void *ctx, size_t queued), void *ctx);
size_t tracer_n_lines(const struct tracer *t); /* that are kept */

/* ---- its lines ------------------------------------------------------------------- */

/* Of a run that is bound to it. */
void tracer_line(struct tracer *t, const char *line, size_t len);

struct tracer_reader {
	void *ctx;
	void (*line)(void *ctx, const char *line, size_t len);
	size_t (*queued)(void *ctx); /* bytes that its client has not taken yet */
	void (*removed)(void *ctx);  /* the tracer is gone, and the reader with it */
};
struct tracer_subscription;

/* The lines that are kept are given at once. -ENOSPC past MAX_READERS. */
int tracer_subscribe(struct tracer *t, const struct tracer_reader *reader,
		     struct tracer_subscription **ret, struct err *err);
void tracer_unsubscribe(struct tracer_subscription *s); /* NULL is fine */
