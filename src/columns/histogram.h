/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms (struct g_histogram) of tables' rows, added up and drawn. What is added up is what
 * looks the same: rows whose keys and containers are equal in the fields that are shown. So
 * `--fields latency` makes one histogram of all rows, and `--fields +dst` one for each peer.
 *
 *   containerName=web dev=254:0 op=read: device (us), 37 values
 *       64..127       12 |****************                          |
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/select.h"

struct buf;
struct clock_base;
struct err;
struct histograms;

/* Which fields of a schema's rows; zeroes are an empty one. Valid as long as the schema. */
struct histogram_plan {
	const struct field **keys;
	size_t n_keys;
	const struct field **histograms; /* groups */
	size_t n_histograms;
};

/* -ENOENT: there is no histogram among what is selected. */
int histogram_plan_make(const struct schema *s, const struct selection *selected,
			struct histogram_plan *ret, struct err *err);
void histogram_plan_done(struct histogram_plan *p);

struct histograms *histograms_new(void);
struct histograms *histograms_free(struct histograms *h); /* NULL is fine */

/* False: there are too many different ones already (MAX_HISTOGRAM_BYTES); it is counted. */
bool histograms_add(struct histograms *h, const struct histogram_plan *plan, const struct row *row,
		    const struct clock_base *clock);
uint64_t histograms_refused(const struct histograms *h);

/* Appends the drawings, sorted by their titles; columns: of the terminal, 0: not known. */
void histograms_draw(const struct histograms *h, unsigned int columns, struct buf *out);
void histograms_clear(struct histograms *h);
