/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent costs the node: time in the kernel and here, memory, and the records for it. */
#pragma once

#include "gadget/gadget.h"
#include "manager/manager.h"

struct gadget_cost { /* of one attached gadget, which several tracers may share */
	char *name;
	uint32_t tracers;
	struct gadget_runtime programs;
	struct totals totals; /* of its tracers together */
	uint64_t map_bytes;
};

struct manager_cost {
	struct gadget_cost *gadgets;
	size_t n, room;
	struct gadget_runtime detector;
	uint64_t resident_bytes, cpu_ns; /* of this process */
	uint64_t boot_ns;		 /* when */
	bool bpf_statistics;		 /* false: the kernel does not count for us */
};

/*
 * As of now. The kernel counts the programs' time from the first call on, and for 10 s after the
 * last: counting costs some 50 ns a run.
 */
void manager_cost(struct manager *m, struct manager_cost *ret);
void manager_cost_done(struct manager_cost *c);
