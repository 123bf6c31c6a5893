/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flight recorder at work: gadgets whose records go to rings (flight.h) and nowhere else, until a
 * trigger, or somebody, has a ring written to a file.
 *
 * Life: recording_new(), recording_add() for each gadget that is asked for, recording_start(),
 * which adds those that triggers want and hands all to the trace collection; then everything comes
 * by that and by the reactor. recording_free() before the trace collection ends.
 */
#pragma once

#include "recorder/flight.h"
#include "traces/traces.h"

struct reactor;
struct recording;

struct recording_options {
	size_t per_container, budget;	 /* as of struct flight_options */
	const struct selector *selector; /* borrowed; NULL: all */
	struct gadget_load_options load;
	const char *dir; /* where dumps go, made if need be; NULL: triggers are not asked for */
	const char *const *dump_on;   /* names of triggers, NULL-terminated; NULL: none */
	const char *const *dump_when; /* "GADGET: EXPRESSION", the same */
	/* All records go to files of the folder as well, which follow each other (set.h). */
	bool all;
	uint64_t rotate_bytes, rotate_ns, keep_bytes;
	struct clock_base clock;
	void (*say)(void *ctx, const char *text);   /* what a person should know; may be NULL */
	void (*fault)(void *ctx, const char *text); /* what went wrong; may be NULL */
	void *ctx;
};

/* -EINVAL: not a trigger; -errno of the folder. */
int recording_new(struct reactor *r, struct traces *ts, const struct recording_options *o,
		  struct recording **ret, struct err *err);
struct recording *recording_free(struct recording *r); /* NULL is fine; returns NULL */

/* g is taken over, also on failure, and has the fields of containers. -EEXIST: it is there. Tables
 * and snapshots are not recorded: -EINVAL. */
int recording_add(struct recording *r, struct gadget *g, struct err *err);
int recording_start(struct recording *r, struct err *err); /* errors as traces_add()'s */
void recording_stop(struct recording *r); /* takes what is left, and writes dumps that are due */

struct flight *recording_flight(struct recording *r);

/* Writes a ring to a new file of the folder, whose name *ret is the caller's. */
int recording_dump(struct recording *r, const struct flight_ring *ring, const char *reason,
		   char **ret, struct err *err);
