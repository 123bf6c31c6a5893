// SPDX-License-Identifier: Apache-2.0
/* What was seen and lost, straight from the map's memory; what the kernel skipped; memory. */
#include "gadget/cost.h"
#include "gadget/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

#define COUNTERS_BYTES ((G_SLOTS + G_NAME_SLOTS) * sizeof(struct g_counters))

_Static_assert(G_SLOTS == MAX_SLOTS, "the map g_counters has a place for each container");

int counters_open(struct running *run, const char *gadget, struct err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(run->object, "g_counters");
	void *p;

	if (!map || bpf_map__value_size(map) != sizeof(struct g_counters) ||
	    bpf_map__max_entries(map) != G_SLOTS + G_NAME_SLOTS)
		return err_set(err, -EINVAL,
			       "not made with this version of gadget.bpf.h: g_counters differs");
	p = mmap(NULL, COUNTERS_BYTES, PROT_READ | PROT_WRITE,
		 MAP_SHARED, bpf_map__fd(map), 0);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "cannot map the counters");
	run->counters = p;
	run->n_counters = G_SLOTS;
	strncpy((char *)&run->counters[G_SLOTS], gadget, G_NAME_BYTES - 1);
	return 0;
}

void counters_close(struct running *run)
{
	if (run->counters)
		munmap(run->counters, COUNTERS_BYTES);
	run->counters = NULL;
}

void counters_seen(struct running *run, const struct schema *s, const void *record, uint32_t size)
{
	uint32_t slot;

	if (s->container_field < 0)
		return;
	const struct field *f = &s->fields[s->container_field];
	if ((uint64_t)f->offset + sizeof(g_container) > size)
		return;
	memcpy(&slot, (const char *)record + f->offset, sizeof(slot)); /* low half: little endian */
	if (slot < run->n_counters)
		__atomic_fetch_add(&run->counters[slot].seen, 1, __ATOMIC_RELAXED);
}

struct gadget_counters gadget_counters(const struct gadget *g, uint32_t slot)
{
	struct gadget_counters c = {};

	if (!g->run || slot >= g->run->n_counters)
		return c;
	/* A program counts `seen` first: read in the other order, lost never passes seen. */
	c.lost = __atomic_load_n(&g->run->counters[slot].lost, __ATOMIC_ACQUIRE);
	c.seen = __atomic_load_n(&g->run->counters[slot].seen, __ATOMIC_ACQUIRE);
	return c;
}

void gadget_counters_reset(struct gadget *g, uint32_t slot)
{
	if (!g->run || slot >= g->run->n_counters)
		return;
	__atomic_store_n(&g->run->counters[slot].lost, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&g->run->counters[slot].seen, 0, __ATOMIC_RELAXED);
}

/* True where the i-th program runs, and is no other name of an earlier one. */
static bool runs(const struct gadget *g, size_t i)
{
	return !g->run->programs[i].twin;
}

uint64_t gadget_misses(const struct gadget *g)
{
	uint64_t sum = 0;

	for (size_t i = 0; g->run && i < g->run->n_programs; i++) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (runs(g, i) &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(g->run->programs[i].prog), &info,
					    &size))
			sum += info.recursion_misses;
	}
	return sum;
}

struct gadget_runtime gadget_runtime(const struct gadget *g)
{
	struct gadget_runtime sum = {0};

	for (size_t i = 0; g->run && i < g->run->n_programs; i++)
		if (runs(g, i))
			program_runtime_add(bpf_program__fd(g->run->programs[i].prog), &sum);
	return sum;
}

uint64_t gadget_map_bytes(const struct gadget *g)
{
	uint64_t sum = 0;
	struct bpf_map *m;

	if (!g->run)
		return 0;
	bpf_object__for_each_map(m, g->run->object) {
		if (bpf_map__fd(m) >= 0)
			sum += map_bytes(bpf_map__fd(m));
	}
	return sum;
}
