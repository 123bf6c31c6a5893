/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ring holds, as system calls: the records of all CPUs in order of time, entry and exit
 * joined.
 */
#pragma once

#include <stdbool.h>

#include "traceloop/lane.h"
#include "traceloop/values.h"

struct loop_call_made {
	const struct loop_enter *enter; /* NULL: it was overwritten */
	const struct loop_exit *exit;	/* NULL: it has not returned, or never does */
	unsigned int cpu;		/* where it began; where it ended if `enter` is NULL */
	bool joined;			/* its exit is the next event after its entry */
};

struct loop_event {
	const struct loop_record *record;
	uint32_t call; /* which of the dump's */
	unsigned int cpu;
};

struct loop_dump {
	struct lane_copy *lanes;
	unsigned int n_lanes;
	struct loop_event *events;    /* in order of time */
	struct loop_call_made *calls; /* in order of their first event */
	size_t n_events, n_calls;
	struct loop_counts counts;
};

/* Takes over what is in lanes, one for each CPU (not the array). */
void loop_dump_make(struct lane_copy *lanes, unsigned int n_lanes, struct loop_dump *ret);
void loop_dump_done(struct loop_dump *d);

/* The call's record that is there: for number, process, thread. */
const struct loop_record *call_record(const struct loop_call_made *c);
const struct syscall *call_syscall(const struct loop_call_made *c); /* NULL: not known */
bool call_failed(const struct loop_call_made *c);
bool call_never_returns(const struct loop_call_made *c); /* exit, exit_group */

/*
 * An argument, as much as is known after the call (returned), or was when it began. False: not even
 * its number is known.
 */
bool call_value(const struct loop_call_made *c, const struct syscall *s, unsigned int index,
		bool returned, struct value *ret);
unsigned int call_n_args(const struct loop_call_made *c, const struct syscall *s);
