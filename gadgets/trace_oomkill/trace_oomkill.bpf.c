// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Kills by the kernel because memory ran out. It happens in the process that could get no memory,
 * to a victim that may be another one in another container: the record belongs to the victim's.
 */
#include <gadget/memory.bpf.h>

GADGET("Trace processes that are killed because memory ran out\n"
       "Shows each victim with the memory that it had, whether a memory cgroup's limit was "
       "reached or the machine is out of memory, that cgroup's limit and usage (cgroup v1 and v2), "
       "and in `fprocess` the process whose demand was one too many. A record belongs to the "
       "victim's container. On Linux before 6.9 a victim that was ending by itself already, and "
       "is not the one that wanted memory, is not shown.",
       ALIAS("oomkill")
	       LIMITS("What a killer in user space ends, such as systemd-oomd, is a signal: "
		      "see trace_signal.") SELFTEST("tail /dev/zero; true", "tcomm==tail"));

enum oom_scope { memcg, machine };

struct oom_event {
	g_time timestamp;
	g_container container;
	struct g_process fprocess;
	g_comm tcomm DOC("Name of the victim");
	g_pid tpid DOC("Process id of the victim");
	struct g_creds tcreds;
	__s32 oom_score_adj DOC("How the victim's chance to be chosen was changed: -1000 to 1000")
		COL(hidden, right);
	__u64 pages DOC("Pages of the victim's address space") COL(hidden);
	g_bytes total_vm DOC("Size of the victim's address space") COL(hidden);
	g_bytes anon_rss DOC("Memory of its own that the victim had") COL(width=9);
	g_bytes file_rss DOC("Memory of files that the victim had mapped") COL(hidden);
	g_bytes shmem_rss DOC("Shared memory and tmpfs that the victim had mapped") COL(hidden);
	g_bytes pgtables DOC("Page tables of the victim") COL(hidden);
	enum oom_scope scope DOC("memcg: a memory cgroup reached its limit; machine: there is no "
				 "memory left, or none where the process may have it") COL(width=7);
	g_bytes limit DOC("Limit of the memory cgroup: the one that reached it, else the victim's "
			  "own; 0: none") COL(width=9);
	g_bytes usage DOC("What that memory cgroup uses") COL(width=9);
	g_cgroup memcg_id DOC("Its id: of cgroup v1 where memory is one of its hierarchies, else "
			      "of v2") COL(hidden);
	g_text memcg_name DOC("Its name: the last part of its path") COL(hidden);
};
TRACER(oom, oom_event, 256);

/* ---- the kernel's accounts ------------------------------------------------------------------ */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct trace_event_raw_mark_victim {
	unsigned long total_vm; /* since 6.9, with the task in place of its id */
};
struct page_counter {
	atomic64_t usage;
	unsigned long max;
};
struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
	bool oom_lock; /* 6.11 and later: only with CONFIG_MEMCG_V1 */
};

#pragma clang attribute pop

enum cgroup_subsys_id { memory_cgrp_id = 4 };

enum { SIGKILL = 9 };

enum {
	LEVELS = 16, /* cgroups above the victim's that are looked at */
	CHARGE = 64, /* pages by which the kernel accounts: less may be left when none is got */
};

#define PAGE_COUNTER_MAX (0x7fffffffffffffffull / g_page_bytes)

static __always_inline struct mem_cgroup *memcg_of_css(const struct cgroup_subsys_state *css)
{
	return css ? (void *)css - bpf_core_field_offset(struct mem_cgroup, css) : NULL;
}

static __always_inline struct mem_cgroup *memcg_of(const struct task_struct *task)
{
	const void *set = BPF_CORE_READ(task, cgroups);
	__u64 at = bpf_core_field_offset(struct css_set, subsys);
	struct cgroup_subsys_state *css = NULL;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return NULL;
	at += bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), set + at);
	return memcg_of_css(css);
}

static __always_inline bool is_full(const struct mem_cgroup *group)
{
	return BPF_CORE_READ(group, memory.usage.counter) + CHARGE >=
	       BPF_CORE_READ(group, memory.max);
}

/*
 * The memory cgroup that ran out, from the victim's own upwards: the kernel has locked it and all
 * below, and tells no more. Where it has no such lock, the first one that is full. NULL: none.
 */
static __always_inline struct mem_cgroup *exhausted(struct mem_cgroup *group)
{
	struct mem_cgroup *found = NULL;

	for (int i = 0; i < LEVELS && group; i++) {
		if (bpf_core_field_exists(group->oom_lock)) {
			if (BPF_CORE_READ(group, oom_lock))
				found = group;
		} else if (is_full(group)) {
			return group;
		}
		group = memcg_of_css(BPF_CORE_READ(group, css.parent));
	}
	return found;
}

/* ---- the record ----------------------------------------------------------------------------- */

static __always_inline void fill_memory(struct oom_event *e, const struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	e->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	e->pages = BPF_CORE_READ(mm, total_vm);
	e->total_vm = e->pages * g_page_bytes;
	e->anon_rss = rss_pages(mm, MM_ANONPAGES) * g_page_bytes;
	e->file_rss = rss_pages(mm, MM_FILEPAGES) * g_page_bytes;
	e->shmem_rss = rss_pages(mm, MM_SHMEMPAGES) * g_page_bytes;
	e->pgtables = BPF_CORE_READ(mm, pgtables_bytes.counter);
}

static __always_inline void fill_memcg(struct oom_event *e, const struct task_struct *task)
{
	struct mem_cgroup *own = memcg_of(task), *group = exhausted(own);
	struct kernfs_node *node;
	__u64 max;

	e->scope = group ? memcg : machine;
	group = group ?: own;
	if (!group)
		return;
	max = BPF_CORE_READ(group, memory.max);
	e->limit = max < PAGE_COUNTER_MAX ? max * g_page_bytes : 0;
	e->usage = BPF_CORE_READ(group, memory.usage.counter) * g_page_bytes;
	node = BPF_CORE_READ(group, css.cgroup, kn);
	e->memcg_id = BPF_CORE_READ(node, id);
	text_kernel(oom, e, memcg_name, BPF_CORE_READ(node, name), 256);
}

static __always_inline void put_out(struct task_struct *victim)
{
	struct oom_event *e;
	g_container c;

	if (!wanted_task(victim, &c))
		return;
	e = record_begin(oom, c);
	if (!e)
		return;
	process_fill(&e->fprocess);
	bpf_core_read_str(e->tcomm, sizeof(e->tcomm), &victim->comm);
	e->tpid = BPF_CORE_READ(victim, tgid);
	e->tcreds.uid = BPF_CORE_READ(victim, cred, uid.val);
	e->tcreds.gid = BPF_CORE_READ(victim, cred, gid.val);
	fill_memory(e, victim);
	fill_memcg(e, victim);
	record_submit(oom, e);
}

/* ---- the hooks ------------------------------------------------------------------------------ */

/* Until 6.8: whom the current task sent the kernel's SIGKILL last; it is marked right after that.
 */
struct killed {
	struct task_struct *task;
};
PENDING(kills, killed);

static __always_inline bool is_told_the_task(void)
{
	struct trace_event_raw_mark_victim *hook = NULL;

	return bpf_core_field_exists(hook->total_vm);
}

/* By thread id; NULL: not known. */
static __always_inline struct task_struct *victim_of(__u32 tid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct killed *kill;

	if (BPF_CORE_READ(task, pid) == tid)
		return task;
	kill = pending_end(kills);
	if (!kill)
		return NULL;
	task = kill->task;
	return BPF_CORE_READ(task, pid) == tid ? task : NULL;
}

/* args: the victim, before 6.9 its thread id alone */
SEC("raw_tp/mark_victim")
int marked(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *victim;

	if (is_told_the_task())
		victim = (void *)ctx->args[0];
	else
		victim = victim_of(ctx->args[0]);
	if (victim)
		put_out(victim);
	return 0;
}

/* args: signal, struct kernel_siginfo or 1 for the kernel's own, target, … */
SEC("raw_tp/signal_generate")
int generated(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *target = (void *)ctx->args[2];
	struct killed *kill;
	g_container c;

	if (is_told_the_task() || ctx->args[0] != SIGKILL || ctx->args[1] != 1 ||
	    !wanted_task(target, &c))
		return 0;
	kill = pending_begin(kills, c);
	if (kill)
		kill->task = target;
	return 0;
}
