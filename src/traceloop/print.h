/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dump for people, as strace(1) shows it, and as JSON.
 *
 *   12:00:01.123456789 cpu0 [1234] sh openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3 <0.000012>
 *   12:00:01.123459001 cpu0 [1234] sh read(3, 0x7ffd8f3e2a10, 4096) ...
 *   12:00:01.123470200 cpu1 [1234] sh ... read(3, "root:x:0:0:"..., 4096) = 840 <0.000011>
 *
 * A call that others came between has two lines, "..." for what is on the other one. [pid:tid]
 * where the two differ; times are this machine's local ones. JSON: an object for each call and
 * line.
 */
#pragma once

#include "traceloop/dump.h"

struct buf;
struct clock_base;
struct container;

/*
 * A part of the dump by time (boot clock, ns): what came after `after`, up to `until`. In text a
 * call of which only the entry is in it has its line for that; in JSON it is told where it returns,
 * unless this is the `last` part.
 */
struct loop_window {
	uint64_t after, until;
	bool last;
};
extern const struct loop_window loop_whole; /* all there is */

void loop_print_text(const struct loop_dump *d, const struct loop_window *w,
		     const struct clock_base *clock, struct buf *out);

/* c: whose calls they are, with its names in each object; NULL: nothing is said of that. */
void loop_print_json(const struct loop_dump *d, const struct loop_window *w,
		     const struct clock_base *clock, const struct container *c, struct buf *out);

/*
 * What is not there: "# 120 older records were overwritten", "# 3 records were lost", where it is
 * so; as JSON {"ig":{"event":"traceloop","kept":…,"overwritten":…,"lost":…}}, always.
 */
void loop_print_counts_text(const struct loop_counts *n, struct buf *out);
void loop_print_counts_json(const struct loop_counts *n, struct buf *out);
