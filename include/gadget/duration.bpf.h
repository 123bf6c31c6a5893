/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Durations in the values of tables, which have these fields; the name of the first one is the
 * gadget's:
 *
 *   __u64 count;
 *   g_duration total, avg, max;
 *   …
 *   duration_add(v, count, ns);
 *
 * Another CPU may be at the same row: then avg, and in a rare case max, lacks one of the two.
 */
#pragma once

#include <gadget/table.bpf.h>

#define duration_add(v, count_, ns)                         \
	do {                                                \
		__u64 ns_ = (ns);                           \
                                                            \
		__sync_fetch_and_add(&(v)->count_, 1);      \
		__sync_fetch_and_add(&(v)->total, ns_);     \
		(v)->avg = (v)->total / ((v)->count_ ?: 1); \
		if ((v)->max < ns_)                         \
			(v)->max = ns_;                     \
	} while (0)
