/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data sources of several runs, each once: where a run declares one that another declared as
 * well, both mean the same one. A run may have the same source twice; these are two.
 */
#pragma once

#include "columns/schema.h"

struct record_sources {
	struct record_source {
		struct schema *schema;
		unsigned int kind;
	} * items;
	size_t n, room;
};

/* What the numbers of one run's sources mean. */
struct source_map {
	unsigned int *numbers;
	size_t n, room;
};

void record_sources_done(struct record_sources *all);

/* The run's next source. False: it is new, and the last one of *all; its schema is referenced. */
bool record_sources_join(struct record_sources *all, struct source_map *run, struct schema *s,
			 unsigned int kind);
