// SPDX-License-Identifier: Apache-2.0
/*
 * Samples: a perf event of the kernel's own CPU clock for each CPU, which needs no hardware's
 * counters and so is there in virtual machines too. Programs are tied to events and not by links,
 * which came with Linux 5.15: they go with the events' descriptors either way.
 */
#include "gadget/sampling.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/elf_file.h"
#include "gadget/kernel_btf.h"
#include "gadget/run.h"

#define SECTION "perf_event"
#define ONLINE "/sys/devices/system/cpu/online"
#define MAX_RATE "/proc/sys/kernel/perf_event_max_sample_rate"
#define SECOND_NS 1000000000ull

/* Room of maps where it is made beforehand: 2 MiB of user stacks, 1 MiB of the kernel's. */
enum { WHOLE_ENTRIES = 4096, WHOLE_STACKS = 1024 };

bool gadget_samples(const struct gadget *g)
{
	struct elf_file f;
	bool found;

	if (elf_file_open(g->elf, g->elf_size, &f, NULL))
		return false;
	found = elf_section(&f, SECTION) != NULL;
	elf_file_close(&f);
	return found;
}

/* ---- maps -------------------------------------------------------------------------------- */

/* The allocator that came with the permission. */
uint32_t sampling_map_flags(void)
{
	return kernel_btf_has_name("bpf_mem_alloc_init") ? BPF_F_NO_PREALLOC : 0;
}

static bool make_whole(struct bpf_map *m)
{
	if (!m || bpf_map__type(m) != BPF_MAP_TYPE_HASH)
		return false;
	bpf_map__set_map_flags(m, bpf_map__map_flags(m) & ~BPF_F_NO_PREALLOC);
	return true;
}

void sampling_prepare(struct gadget *g)
{
	struct bpf_map *m;

	if (!gadget_samples(g) || sampling_map_flags())
		return;
	bpf_object__for_each_map(m, g->run->object) {
		if (make_whole(m) && bpf_map__max_entries(m) > WHOLE_ENTRIES)
			bpf_map__set_max_entries(m, WHOLE_ENTRIES);
		make_whole(bpf_map__inner_map(m)); /* libbpf changes nothing else of one */
	}
	stacks_limit(g, WHOLE_STACKS);
}

/* ---- CPUs -------------------------------------------------------------------------------- */

static uint64_t number_in(const char *path, uint64_t otherwise)
{
	_cleanup_(buf_done) struct buf b;
	uint64_t n;

	buf_init(&b, 64);
	if (buf_read_file(&b, AT_FDCWD, path) || !b.len)
		return otherwise;
	b.data[strcspn(buf_cstr(&b), "\n")] = '\0';
	return parse_u64(b.data, &n) ? otherwise : n;
}

/* "0-3,8": sets ret[cpu] of those that are there. */
static int read_online(bool *ret, size_t n)
{
	_cleanup_(buf_done) struct buf b;
	int rc;

	buf_init(&b, MAX_PROC_FILE_BYTES);
	rc = buf_read_file(&b, AT_FDCWD, ONLINE);
	if (rc)
		return rc;
	b.data[strcspn(buf_cstr(&b), "\n")] = '\0';
	for (char *range, *rest = b.data; (range = strsep(&rest, ","));) {
		char *last = strchr(range, '-');
		uint64_t from, to;

		if (last)
			*last++ = '\0';
		if (parse_u64(range, &from) || parse_u64(last ?: range, &to))
			return -EBADMSG;
		for (uint64_t cpu = from; cpu <= to && cpu < n; cpu++)
			ret[cpu] = true;
	}
	return 0;
}

/* ---- events ------------------------------------------------------------------------------ */

static int open_event(const struct program *p, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.sample_period = SECOND_NS / p->frequency,
		.disabled = 1,
	};
	_cleanup_(closep) int fd =
		(int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(p->prog)) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	return take_fd(&fd);
}

static void close_event(int *fd)
{
	closep(fd);
	*fd = -1;
}

/* The events of CPUs that went are dead, also when the CPU comes back. */
static int follow_cpus(struct program *p)
{
	_cleanup_(freep) bool *online = xnew_n(bool, p->n_cpus);
	int rc = read_online(online, p->n_cpus);

	for (size_t cpu = 0; !rc && cpu < p->n_cpus; cpu++) {
		if (!online[cpu]) {
			close_event(&p->cpus[cpu]);
			continue;
		}
		if (p->cpus[cpu] >= 0)
			continue;
		rc = open_event(p, (int)cpu);
		if (rc == -ENODEV) /* it went meanwhile */
			rc = 0;
		else if (rc >= 0) {
			p->cpus[cpu] = rc;
			rc = 0;
		}
	}
	return rc;
}

int attach_cpus(struct program *p, const struct hook_places *at)
{
	int n = libbpf_num_possible_cpus();

	if (p->cpus)
		return 0;
	if (!p->frequency || p->frequency > number_in(MAX_RATE, 100000))
		return -ERANGE;
	if (n <= 0)
		return n ?: -ENODEV;
	p->n_cpus = (size_t)n;
	p->cpus = xnew_n(int, p->n_cpus);
	for (size_t i = 0; i < p->n_cpus; i++)
		p->cpus[i] = -1;
	return follow_cpus(p);
}

void sampling_follow(struct running *run)
{
	for (size_t i = 0; i < run->n_programs; i++)
		if (run->programs[i].cpus)
			follow_cpus(&run->programs[i]);
}

bool sampling_detach(struct running *run)
{
	bool any = false;

	for (size_t i = 0; i < run->n_programs; i++) {
		struct program *p = &run->programs[i];

		any |= p->cpus != NULL;
		for (size_t cpu = 0; cpu < p->n_cpus; cpu++)
			close_event(&p->cpus[cpu]);
		free(p->cpus);
		p->cpus = NULL;
		p->n_cpus = 0;
	}
	return any;
}

int sampling_refused(const char *gadget, const struct program *p, struct err *err)
{
	return err_set(err, -EINVAL,
		       "%s: %llu samples a second of each CPU: 1 to %llu are possible "
		       "(kernel.perf_event_max_sample_rate)",
		       gadget, (unsigned long long)p->frequency,
		       (unsigned long long)number_in(MAX_RATE, 100000));
}
