/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: a ring of records for each container, of all gadgets together, that always
 * records and is read afterwards, also when the container is gone. It is given rows and loss as a
 * reader of tracers is; nothing here knows where they come from.
 *
 * A ring takes memory as it fills, up to `per_container`; then its oldest records are overwritten,
 * and no other container's. All rings stay within `budget`: where they would not, those of
 * containers that ended go first, the one that ended first before others; then the bound of all
 * rings is halved, down to `floor`. A new container gets a ring in any case, so that the budget may
 * be passed by floor bytes for each live container, and by no more. When live rings are half of it
 * at most, the bound is doubled for each container that ends. Each such step is said.
 *
 * Each record has a number in its ring, and what was lost has used up its own: for a ring
 * kept + overwritten + lost = last, exactly.
 *
 * Life: flight_new(), flight_source() for each source, then rows, losses and ends as they come;
 * flight_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/format.h"
#include "containers/container.h"
#include "gadget/gadget.h"

struct err;
struct flight;
struct flight_ring;

#define FLIGHT_LEAST 4096 /* bytes of a ring: some records */

struct flight_options {
	size_t per_container, budget, floor;	  /* bytes; 0: 1 MiB, 64 MiB, 16 KiB */
	void (*say)(void *ctx, const char *text); /* may be NULL */
	void *ctx;
};

/* -EINVAL: a ring of less than FLIGHT_LEAST bytes, or a budget of less than one ring. */
int flight_new(const struct flight_options *o, struct flight **ret, struct err *err);
struct flight *flight_free(struct flight *f); /* NULL is fine; returns NULL */

/* Sources are numbered from 0 in the order in which they are added; all before the first row. */
void flight_source(struct flight *f, const struct gadget_source *s);

/* The row is copied; its container is referenced. Rows of no container are the host's. */
void flight_row(struct flight *f, unsigned int source, const struct row *row);
void flight_lost(struct flight *f, unsigned int source, const struct container *c, uint64_t count);
void flight_ended(struct flight *f, const struct container *c); /* its ring stays */

size_t flight_bytes(const struct flight *f); /* of all rings */
size_t flight_bound(const struct flight *f); /* of one ring now */

/* ---- rings ----------------------------------------------------------------------- */

/* All rings: of live containers, then of those that ended, oldest end first. */
void flight_each(const struct flight *f, void (*fn)(void *ctx, struct flight_ring *r), void *ctx);
struct flight_ring *flight_find(const struct flight *f, uint64_t key); /* NULL: none */

struct flight_facts {
	const struct container *container; /* NULL: the host */
	uint64_t last, kept, overwritten, lost;
	size_t bytes;
	uint64_t oldest, newest; /* boot clock of the kept ones; 0: none */
	bool ended;
};
void flight_facts(const struct flight_ring *r, struct flight_facts *ret);

/*
 * Writes what a ring has as a record file to fd, which is taken over: one stream of all gadgets in
 * order of time, then each source's loss and totals. -errno of writing.
 */
int flight_write(const struct flight *f, const struct flight_ring *r, int fd,
		 const struct clock_base *clock, struct err *err);

/* The memory is given back; of a live container, a new ring begins with its next record. */
void flight_close(struct flight *f, struct flight_ring *r);
