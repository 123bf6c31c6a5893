// SPDX-License-Identifier: Apache-2.0
/*
 * The map g_programs (programs.bpf.h): what the kernel tells of BPF programs to user space alone. A
 * program could find run times only by the addresses of the kernel's per-CPU areas, which many
 * machines hide. They are counted as long as a gadget with this map is loaded.
 */
#include "gadget/cost.h"
#include "gadget/run.h"

#include "base/mem.h"

#define MAX_MAPS 64 /* of one program: the kernel's own limit */

int programs_open(struct running *run, struct err *err)
{
	if (!bpf_object__find_map_by_name(run->object, "g_programs"))
		return 0;
	run->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return run->stats_fd < 0 ? err_set(err, -errno, "cannot have run times counted") : 0;
}

static uint64_t bytes_of(uint32_t map_id)
{
	_cleanup_(closep) int fd = bpf_map_get_fd_by_id(map_id);

	return fd < 0 ? 0 : map_bytes(fd);
}

/* False: it is gone. */
static bool look_at(uint32_t id, struct g_program *ret)
{
	_cleanup_(closep) int fd = bpf_prog_get_fd_by_id(id);
	uint32_t maps[MAX_MAPS], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)maps};

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return false;
	*ret = (struct g_program){
		.run_time = info.run_time_ns, .runs = info.run_cnt, .maps = info.nr_map_ids};
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAX_MAPS; i++)
		ret->map_bytes += bytes_of(maps[i]);
	return true;
}

void programs_look(struct running *run)
{
	struct bpf_map *m = bpf_object__find_map_by_name(run->object, "g_programs");
	struct g_program p;

	if (!m || bpf_map__value_size(m) != sizeof(p))
		return;
	for (uint32_t id = 0; !bpf_prog_get_next_id(id, &id);)
		if (look_at(id, &p))
			bpf_map_update_elem(bpf_map__fd(m), &id, &p, BPF_ANY);
}
