/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's records, copied while they are being written: nobody is stopped, and what was
 * overwritten meanwhile is left out. Where lanes lie does not matter: tests give memory of their
 * own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "columns/types.h"
#include "traceloop/record.h"

/* kept + overwritten + lost = all that ever was to be written. */
struct loop_counts {
	uint64_t kept;	      /* as many are in the copy */
	uint64_t overwritten; /* by newer ones */
	uint64_t lost;	      /* never written */
};

struct lane_copy {
	unsigned char *bytes;
	const struct loop_record **records; /* oldest first; sizes and parts are within bounds */
	size_t n;
	struct loop_counts counts;
};

/* lane_bytes: without head and slack. */
void lane_copy(const struct loop_lane *lane, size_t lane_bytes, struct lane_copy *ret);
void lane_copy_done(struct lane_copy *c);

/* The next part of a record: first with p NULL; NULL at the end. Its bytes follow it. */
const struct loop_part *record_part(const struct loop_record *r, const struct loop_part *p);
