// SPDX-License-Identifier: Apache-2.0
/*
 * A reader that waits without a timer. It sets g_asleep and looks into the rings once more; a
 * program puts out its record and looks at g_asleep: whichever comes second sees the other. The
 * program that sees it rings the bell, a ring of its own: it wakes for losses as well, which leave
 * nothing in any other ring.
 */
#include "gadget/run.h"

#include <sys/mman.h>

#include "base/mem.h"

void bell_prepare(struct running *run)
{
	struct bpf_map *bell = bpf_object__find_map_by_name(run->object, "g_bell");

	if (bell)
		bpf_map__set_max_entries(bell, (uint32_t)sysconf(_SC_PAGESIZE));
}

/* Its page of the section .bss, which a map holds. */
static int map_asleep(struct running *run, const struct bpf_map *variables, int64_t at,
		      struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), within = (size_t)at % page;
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(variables),
		       at - (off_t)within);

	if (p == MAP_FAILED)
		return err_set(err, -errno, "cannot map the variables");
	run->asleep = (uint32_t *)(p + within);
	return 0;
}

int bell_open(struct running *run, struct err *err)
{
	struct bpf_map *bell = bpf_object__find_map_by_name(run->object, "g_bell");
	struct bpf_map *variables = bpf_object__find_map_by_name(run->object, ".bss");
	int64_t at = variable_offset(run->object, ".bss", "g_asleep", sizeof(*run->asleep));
	int rc;

	if (!bell || bpf_map__type(bell) != BPF_MAP_TYPE_RINGBUF || !variables || at < 0)
		return 0;
	rc = ring_open(&run->bell, bpf_map__fd(bell), bpf_map__max_entries(bell), err);
	return rc ? rc : map_asleep(run, variables, at, err);
}

void bell_close(struct running *run)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	ring_close(&run->bell);
	if (run->asleep)
		munmap((void *)((uintptr_t)run->asleep / page * page), page);
	run->asleep = NULL;
}

static bool all_empty(const struct gadget *g)
{
	for (size_t i = 0; i < g->n_sources; i++)
		if (!ring_is_empty(&g->run->rings[i]))
			return false;
	return true;
}

bool gadget_sleep(struct gadget *g)
{
	if (!g->run || !g->run->asleep)
		return false;
	__atomic_store_n(g->run->asleep, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the rings are looked at after that */
	if (all_empty(g))
		return true;
	gadget_wake(g);
	return false;
}

bool gadget_sleeps(const struct gadget *g)
{
	return g->run && g->run->asleep && __atomic_load_n(g->run->asleep, __ATOMIC_ACQUIRE);
}

void gadget_wake(struct gadget *g)
{
	if (g->run && g->run->asleep)
		__atomic_store_n(g->run->asleep, 0, __ATOMIC_RELAXED);
}
