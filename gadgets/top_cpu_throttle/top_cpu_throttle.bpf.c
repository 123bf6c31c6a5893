// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * How often containers had to wait because their CPU limit was used up. The kernel keeps that in
 * the task group of a cgroup with a limit, whichever version of cgroups made it; an iterator finds
 * it by each container's first process.
 */
#include <gadget/gadget.bpf.h>

GADGET("Show containers that their CPU limit holds back\n"
       "One row for each container at each interval: in how many of the periods since the last "
       "table its CPU limit was used up before the period's end, and for how long its CPUs stood "
       "still. The limit is that of its own cgroup or of the nearest one above that has one (a "
       "pod's), cgroup v1 or v2. psi…: how much of the time some process waited for a CPU, from "
       "the kernel's pressure stall information, for that reason or others.",
       LIMITS("A container whose processes have all ended has no row. psi… are as the kernel "
	      "computed them last, which it does every 2 seconds while the container runs; "
	      "without pressure stall information (or with cgroup v1 alone) they are 0.")
       SELFTEST("sleep 1; true", "nrThrottled>=0"));

/* ---- the kernel's types --------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cfs_bandwidth {
	__u64 period, quota; /* ns */
	int nr_periods, nr_throttled;
	__u64 throttled_time;
};
struct task_group {
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};
struct task_struct___group {
	struct task_group *sched_task_group;
};
/* Of each state over 10, 60 and 300 s; BTF has it as one array or as arrays of an array. */
struct psi_group___flat {
	unsigned long avg[15];
};
struct psi_group___nested {
	unsigned long avg[5][3];
};
struct psi_group {
	bool enabled;
};
struct cgroup___psi { /* since 6.1 */
	struct psi_group *psi;
};
struct cgroup___6_0 {
	struct psi_group psi;
};

#pragma clang attribute pop

enum psi_states { PSI_CPU_SOME = 4 };

#define NO_QUOTA (~0ull)
#define LEVELS 16 /* cgroups above a process's own that are looked at */

/* ---- rows ----------------------------------------------------------------------------------- */

struct throttle_entry {
	g_time timestamp COL(hidden);
	g_container container;
	__u64 nrPeriods DOC("Periods since the last table in which it wanted to run") COL(right);
	__u64 nrThrottled DOC("Of these, those in which its limit was used up") COL(right);
	g_percent throttleRatio DOC("nrThrottled of nrPeriods in percent");
	g_duration throttledTime DOC("How long it was held back since the last table, the sum of "
				     "all CPUs");
	g_duration cpuQuota DOC("CPU time that it may have in each period; 0: no limit");
	g_duration cpuPeriod DOC("Length of a period") COL(hidden);
	g_milli cpuLimitCores DOC("The limit as a number of CPUs; 0: none");
	g_percent psiSomeAvg10 DOC("Percent of the last 10 seconds in which a process waited for a "
				   "CPU");
	g_percent psiSomeAvg60 DOC("The same of the last 60 seconds");
	__u64 nrPeriodsTotal DOC("nrPeriods since the cgroup was made") COL(hidden);
	__u64 nrThrottledTotal DOC("nrThrottled since then") COL(hidden);
	g_duration throttledTimeTotal DOC("throttledTime since then") COL(hidden);
};
SAMPLE(throttle, throttle_entry, 0, SORT("-throttleRatio,-throttledTime"));

struct known {
	__u64 session; /* that has seen this container */
	const void *group;
	__u64 periods, throttled, time;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* a container that is gone leaves its entry */
	__uint(max_entries, 4096);
	__type(key, g_container);
	__type(value, struct known);
} known SEC(".maps");

/* The container's entry, once in each look. */
static __always_inline struct known *first_time(g_container c, __u64 session)
{
	struct known *k = bpf_map_lookup_elem(&known, &c), new = {};

	if (!k) {
		bpf_map_update_elem(&known, &c, &new, BPF_NOEXIST);
		k = bpf_map_lookup_elem(&known, &c);
	}
	if (!k || k->session == session)
		return NULL;
	k->session = session;
	return k;
}

/* ---- the limit ------------------------------------------------------------------------------ */

static __always_inline const struct task_group *limited_group(const struct task_struct *task)
{
	const struct task_group *group =
		BPF_CORE_READ((const struct task_struct___group *)task, sched_task_group);

	for (int i = 0; i < LEVELS && group; i++) {
		if (BPF_CORE_READ(group, cfs_bandwidth.quota) != NO_QUOTA)
			return group;
		group = BPF_CORE_READ(group, parent);
	}
	return NULL;
}

/* Since the last look; everything of a group that was not there then. */
static __always_inline void fill_difference(struct throttle_entry *e, struct known *k,
					    const struct task_group *group)
{
	bool other = k->group && k->group != group;

	e->nrPeriods = other ? 0 : e->nrPeriodsTotal - k->periods;
	e->nrThrottled = other ? 0 : e->nrThrottledTotal - k->throttled;
	e->throttledTime = other ? 0 : e->throttledTimeTotal - k->time;
	if (e->nrPeriods)
		e->throttleRatio = percent_of(e->nrThrottled, e->nrPeriods);
	k->group = group;
	k->periods = e->nrPeriodsTotal;
	k->throttled = e->nrThrottledTotal;
	k->time = e->throttledTimeTotal;
}

static __always_inline void fill_limit(struct throttle_entry *e, struct known *k,
				       const struct task_struct *task)
{
	const struct task_group *group = limited_group(task);

	if (group) {
		e->cpuQuota = BPF_CORE_READ(group, cfs_bandwidth.quota);
		e->cpuPeriod = BPF_CORE_READ(group, cfs_bandwidth.period);
		if (e->cpuPeriod)
			e->cpuLimitCores = e->cpuQuota * 1000 / e->cpuPeriod;
		e->nrPeriodsTotal = (__u32)BPF_CORE_READ(group, cfs_bandwidth.nr_periods);
		e->nrThrottledTotal = (__u32)BPF_CORE_READ(group, cfs_bandwidth.nr_throttled);
		e->throttledTimeTotal = BPF_CORE_READ(group, cfs_bandwidth.throttled_time);
	}
	fill_difference(e, k, group);
}

/* ---- pressure ------------------------------------------------------------------------------- */

/* The topmost cgroup that is the same container's: the process may be in one below. */
static __always_inline struct cgroup *cgroup_of(const struct task_struct *task, g_container c)
{
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp), *up;

	for (int i = 0; i < LEVELS; i++) {
		up = BPF_CORE_READ(cgroup, self.parent, cgroup);
		__u64 id = BPF_CORE_READ(up, kn, id);
		g_container *owner = bpf_map_lookup_elem(&g_wanted, &id);

		if (!owner || *owner != c)
			break;
		cgroup = up;
	}
	return cgroup;
}

/* The kernel's averages are percents with 11 bits behind the point. */
static __always_inline g_percent percent_of_average(unsigned long average)
{
	return (__u64)average * 10000000 >> 11;
}

static __always_inline void fill_pressure(struct throttle_entry *e, struct cgroup *cgroup)
{
	const struct cgroup___psi *now = (const void *)cgroup;
	const struct cgroup___6_0 *old = (const void *)cgroup;
	const void *psi = NULL;
	unsigned long averages[3] = {};
	__u64 at;

	if (bpf_core_field_exists(now->psi) && bpf_core_field_size(now->psi) == sizeof(void *))
		psi = BPF_CORE_READ(now, psi);
	else if (bpf_core_field_exists(old->psi))
		psi = (const void *)old + bpf_core_field_offset(old->psi);
	if (!psi || !bpf_core_enum_value_exists(enum psi_states, PSI_CPU_SOME))
		return;
	if (bpf_core_field_exists(struct psi_group___flat, avg))
		at = bpf_core_field_offset(struct psi_group___flat, avg);
	else if (bpf_core_field_exists(struct psi_group___nested, avg))
		at = bpf_core_field_offset(struct psi_group___nested, avg);
	else
		return;
	at += bpf_core_enum_value(enum psi_states, PSI_CPU_SOME) * sizeof(averages);
	if (!bpf_probe_read_kernel(averages, sizeof(averages), psi + at)) {
		e->psiSomeAvg10 = percent_of_average(averages[0]);
		e->psiSomeAvg60 = percent_of_average(averages[1]);
	}
}

/* ---- the look ------------------------------------------------------------------------------- */

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	bool first = sample_is_first(ctx->meta);
	struct throttle_entry *e;
	struct known *k;
	g_container c;

	if (!task || !wanted_task(task, &c) || c == G_HOST)
		return 0;
	k = first_time(c, ctx->meta->session_id + 1);
	if (!k)
		return 0;
	e = record_begin(throttle, c);
	if (!e)
		return 0;
	fill_limit(e, k, task);
	fill_pressure(e, cgroup_of(task, c));
	if (!first)
		snapshot_row(throttle, e, ctx->meta->seq);
	return 0;
}
