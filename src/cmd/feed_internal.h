/* SPDX-License-Identifier: Apache-2.0 */
/* A feed, as its two kinds make it. */
#pragma once

#include "cmd/feed.h"

struct feed_kind {
	int (*start)(struct feed *f, struct loop *loop, struct err *err);
	void (*stop)(struct feed *f);
	void (*free)(struct feed *f); /* all but what is here */
	bool (*finished)(const struct feed *f);
	int (*failure)(const struct feed *f, struct err *err); /* NULL: it never fails */
	bool (*names_pending)(const struct feed *f);	       /* NULL: no */
	size_t (*n_containers)(const struct feed *f);	       /* NULL: not known */
	void (*say_trouble)(const struct feed *f);	       /* NULL: there is none */
	/* c: NULL: of none; node: NULL: not known. */
	void (*take_back)(struct feed *f, size_t tracer, const struct container *c,
			  const char *node);
	struct totals (*totals)(const struct feed *f, size_t tracer);
	uint64_t (*unaccounted)(const struct feed *f, size_t tracer);
	void (*each_total)(const struct feed *f, size_t tracer,
			   void (*fn)(void *ctx, const char *name, struct totals n), void *ctx);
};

struct feed {
	const struct feed_kind *kind;
	struct feed_reader reader;
	struct feed_options options;
	struct feed_tracer {
		char *name;
		unsigned int first_source;
	} * tracers;
	size_t n_tracers, room_tracers;
	struct gadget_source *sources; /* owned: names, orders and references of schemas */
	size_t n_sources, room_sources;
};

void feed_init(struct feed *f, const struct feed_kind *kind, const struct feed_reader *reader);
void feed_add_tracer(struct feed *f, const char *name);
void feed_add_source(struct feed *f, const struct gadget_source *s); /* of the last tracer */
size_t feed_tracer_of(const struct feed *f, unsigned int source);
