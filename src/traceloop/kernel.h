/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceloop's BPF programs (src/bpf/traceloop.bpf.c) as an object: load, attach, rings. Whose ring
 * is whose, and for how long, is traceloop.c's affair.
 *
 * Life: loop_kernel_new(); loop_kernel_prepare() for enough rings; loop_kernel_attach();
 * loop_kernel_free() takes the programs off, and all rings are gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "columns/types.h"
#include "gadget/cost.h"
#include "traceloop/record.h"

struct err;
struct loop_kernel;

struct loop_kernel_options {
	uint64_t ring_bytes; /* all CPUs together; a lane is a power of two, LOOP_LANE_MIN to
				LOOP_LANE_MAX */
	const struct loop_call *calls; /* LOOP_CALLS + 1 of them: what to keep of each */
	int additions_fd; /* counts what comes into the map of wanted ones: additions.h; borrowed */
};

#define LOOP_LANE_MIN 16384
#define LOOP_LANE_MAX (2u << 20) /* old kernels have no larger elements in array maps */

/* -EPERM: not allowed; -ENOTSUP: the kernel lacks BTF or a tracepoint. */
int loop_kernel_new(const struct loop_kernel_options *o, struct loop_kernel **ret, struct err *err);
struct loop_kernel *loop_kernel_free(struct loop_kernel *k); /* NULL is fine; returns NULL */
int loop_kernel_attach(struct loop_kernel *k, struct err *err);

int loop_kernel_wanted_fd(const struct loop_kernel *k); /* map as g_wanted of types.h */
unsigned int loop_kernel_cpus(const struct loop_kernel *k);
size_t loop_kernel_lane_bytes(const struct loop_kernel *k); /* without head and slack */
size_t loop_kernel_ring_bytes(const struct loop_kernel *k); /* memory that a ring takes */
size_t loop_kernel_map_bytes(const struct loop_kernel *k);  /* of all maps but the rings */
struct gadget_runtime loop_kernel_runtime(const struct loop_kernel *k);

/* Lays LOOP_SHEAF more rings ready. -ENOSPC: LOOP_RINGS are there; -ENOMEM. */
int loop_kernel_prepare(struct loop_kernel *k, struct err *err);
size_t loop_kernel_rings(const struct loop_kernel *k); /* that there are, whosever */

/*
 * The number of the ring that `key` has, or is given now of those that are ready; 0: none is. The
 * same ring however often it is asked.
 */
uint32_t loop_kernel_claim(struct loop_kernel *k, uint64_t key);
/* Is it claimed by now? 0: no. */
uint32_t loop_kernel_claimed(const struct loop_kernel *k, uint64_t key);
/*
 * Its ids are out of the map of wanted ones. A program may still be about to write: the ring is
 * laid ready for others by the next loop_kernel_settle() that is LOOP_SETTLE_NS later.
 */
void loop_kernel_release(struct loop_kernel *k, uint64_t key, uint64_t now);
void loop_kernel_settle(struct loop_kernel *k, uint64_t now);
uint64_t loop_kernel_settles_at(const struct loop_kernel *k); /* boot clock; 0: none does */
size_t loop_kernel_settling(const struct loop_kernel *k);     /* rings that wait for that */

#define LOOP_SETTLE_NS 200000000ull

/*
 * Rings are the kernel's memory. They are in ours as well, LOOP_SHEAF at a time, while somebody
 * holds one of them to read it; as often let go as held. -errno of mmap().
 */
int loop_kernel_hold(struct loop_kernel *k, uint32_t ring);
void loop_kernel_let_go(struct loop_kernel *k, uint32_t ring);

/* Of a ring that is held. */
const struct loop_lane *loop_kernel_lane(const struct loop_kernel *k, uint32_t ring,
					 unsigned int cpu);
uint64_t loop_kernel_missed(const struct loop_kernel *k, uint64_t key); /* for want of a ring */
