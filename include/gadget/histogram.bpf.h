/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Histograms in the values of tables:
 *
 *   struct rtt_value {
 *           struct g_histogram latency DOC("…");
 *   };
 *   …
 *   v = top_entry(rtt, &key);
 *   if (v)
 *           histogram_add(&v->latency, G_UNIT_US, ns / 1000);
 */
#pragma once

#include <gadget/table.bpf.h>

/* Of 0 and 1 it is 0. */
static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = 0;

	for (__u32 half = 32; half; half /= 2) {
		if (value >> half) {
			value >>= half;
			log += half;
		}
	}
	return log;
}

static __always_inline void histogram_add(struct g_histogram *h, g_unit unit, __u64 value)
{
	__u32 slot = log2_of(value);

	if (slot >= G_LOG2_SLOTS)
		slot = G_LOG2_SLOTS - 1;
	barrier_var(slot);
	h->unit = unit;
	__sync_fetch_and_add(&h->data[slot & (G_LOG2_SLOTS - 1)], 1);
}

/* PARAM(bool, ms, …) of gadgets that measure time: in milliseconds, else in microseconds. */
static __always_inline void histogram_add_time(struct g_histogram *h, bool ms, __u64 ns)
{
	histogram_add(h, ms ? G_UNIT_MS : G_UNIT_US, ns / (ms ? 1000000 : 1000));
}
