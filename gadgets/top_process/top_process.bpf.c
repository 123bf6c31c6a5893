// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * What processes take, looked up at each interval. CPU time is that of the scheduler, exact to the
 * nanosecond. One iterator adds up a process's threads, a second one writes its row; what it had at
 * the last look is kept. A process that ends between two looks is added to its container by its
 * exit.
 */
#include <gadget/task.bpf.h>

GADGET("Show the processes that take most, and the sums of their containers\n"
       "Two tables at each interval: CPU and memory by process, and by container. CPU usage is "
       "percent of one CPU since the last table; of a process that was not there yet, since its "
       "start.",
       LIMITS("A process that starts and ends within one interval is in its container's sum, and "
	      "not in the table of processes. Memory that processes share is in each one's and so "
	      "more than once in a container's sum. Memory may lack pages that CPUs (since Linux "
	      "6.2) or its other threads (before) have not added up yet. Of more than 16384 "
	      "processes at a time some have the CPU usage since their start.")
       SELFTEST("sleep 1; true", "proc.comm==sleep"));

/* ---- by process ----------------------------------------------------------------------------- */

struct process_usage {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum process_state state DOC("running, sleeping, waiting, stopped, zombie …") COL(width=8);
	g_percent cpuUsage DOC("CPU, percent of one: more than 100 with several threads");
	g_percent cpuUsageRelative DOC("CPU, percent of all CPUs of the machine") COL(hidden);
	g_duration cpuTime DOC("CPU time since its start");
	g_bytes memoryRSS DOC("Memory that it has in RAM");
	g_bytes memoryVirtual DOC("Size of its address space");
	g_bytes memoryShared DOC("Of memoryRSS, pages of files and shared memory") COL(hidden);
	g_percent memoryRelative DOC("memoryRSS, percent of the machine's RAM") COL(hidden);
	__u32 threadCount DOC("Threads") COL(width = 7, right);
	__s32 priority DOC("As the kernel has it now: -100 to 39, a real-time one below 0")
		COL(width = 8, right, hidden);
	__s32 nice DOC("-20 to 19") COL(width = 4, right, hidden);
	g_time startTime DOC("When it started");
};
SAMPLE(processes, process_usage, 0, SORT("-cpuUsage,-memoryRSS"));

/* ---- by container --------------------------------------------------------------------------- */

struct container_key {
	g_container container;
};

struct container_usage {
	g_percent cpuUsage DOC("CPU of all its processes, percent of one; also of those that ended "
			       "since the last table");
	g_percent cpuUsageRelative DOC("The same, percent of all CPUs of the machine") COL(hidden);
	g_bytes memoryRSS DOC("Sum of its processes' memory in RAM");
	g_percent memoryRelative DOC("The same, percent of the machine's RAM") COL(hidden);
	__u32 processes DOC("Processes that it has") COL(right);
	__u32 threadCount DOC("Their threads") COL(right);
};
TOP(containers, container_key, container_usage, 16384, SORT("-cpuUsage,-memoryRSS"));

/* ---- what was at the last look -------------------------------------------------------------- */

struct known {
	__u64 start; /* of the process: its id may be another's by now */
	__u64 looked;
	__u64 total; /* CPU time that was told of */
	__u64 sum;   /* CPU time that this look has found so far */
	__u64 session;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* process id */
	__type(value, struct known);
} known SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* a container that is gone leaves its entry */
	__uint(max_entries, 4096);
	__type(key, g_container);
	__type(value, __u64); /* CPU time since the last look, of processes that have ended */
} ended SEC(".maps");

__u64 last_look;

static __always_inline struct known *known_of(__u32 pid, __u64 start)
{
	struct known *k = bpf_map_lookup_elem(&known, &pid), new = {.start = start};

	if (k && k->start == start)
		return k;
	bpf_map_update_elem(&known, &pid, &new, BPF_ANY);
	return bpf_map_lookup_elem(&known, &pid);
}

/* ---- first: the threads of each process ------------------------------------------------------ */

SEC("iter/task")
FEEDS(processes)
int each_thread(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct known *k;
	g_container c;

	if (!task)
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	if (!wanted_task(leader, &c))
		return 0;
	k = known_of(task->tgid, BPF_CORE_READ(leader, start_boottime));
	if (!k)
		return 0;
	if (k->session != ctx->meta->session_id + 1) {
		k->session = ctx->meta->session_id + 1;
		k->sum = task_gone_cpu_time(task);
	}
	k->sum += task_cpu_time(task);
	return 0;
}

/* ---- then: the processes -------------------------------------------------------------------- */

static __always_inline void fill_memory(struct process_usage *e, const struct task_struct *task)
{
	const struct mm_struct *mm = BPF_CORE_READ(task, mm);

	if (!mm)
		return;
	e->memoryRSS = memory_rss(task);
	e->memoryShared = memory_shared(task);
	e->memoryVirtual = BPF_CORE_READ(mm, total_vm) * g_page_bytes;
	e->memoryRelative = percent_of(e->memoryRSS, g_ram_bytes);
}

static __always_inline void fill(struct process_usage *e, struct task_struct *task)
{
	process_fill_task(&e->proc, task);
	e->state = task_state(task);
	e->threadCount = BPF_CORE_READ(task, signal, nr_threads);
	e->priority = task_priority(task);
	e->nice = task_nice(task);
	e->startTime = BPF_CORE_READ(task, start_boottime);
	fill_memory(e, task);
}

static __always_inline void add_ended(struct container_usage *v, g_container c, __u64 now)
{
	__u64 *sum = bpf_map_lookup_elem(&ended, &c), ns;

	if (!sum)
		return;
	ns = *sum;
	v->cpuUsage += percent_of(ns, now - last_look);
	__sync_fetch_and_add(sum, -ns); /* what is added meanwhile is the next look's */
}

static __always_inline void add_to_container(const struct process_usage *e)
{
	struct container_key key = {e->container};
	struct container_usage *v = top_entry(containers, &key);

	if (!v)
		return;
	if (!v->processes)
		add_ended(v, e->container, e->timestamp);
	v->processes++;
	v->threadCount += e->threadCount;
	v->cpuUsage += e->cpuUsage;
	v->cpuUsageRelative = v->cpuUsage / g_cpus;
	v->memoryRSS += e->memoryRSS;
	v->memoryRelative = percent_of(v->memoryRSS, g_ram_bytes);
}

/* A thread that ended during the look may be missing in the sum: the total never goes back. */
static __always_inline void fill_cpu(struct process_usage *e, struct known *k)
{
	__u64 total = k->sum > k->total ? k->sum : k->total;

	e->cpuTime = total;
	e->cpuUsage = percent_of(total - k->total, e->timestamp - (k->looked ?: k->start));
	e->cpuUsageRelative = e->cpuUsage / g_cpus;
	k->total = total;
	k->looked = e->timestamp;
}

SEC("iter/task")
FEEDS(processes)
LAST int each_process(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	bool first = sample_is_first(ctx->meta);
	struct process_usage *e;
	struct known *k;
	g_container c;

	if (!task) {
		last_look = bpf_ktime_get_boot_ns();
		return 0;
	}
	if (!task_is_leader(task) || !wanted_task(task, &c))
		return 0;
	e = record_begin(processes, c);
	if (!e)
		return 0;
	k = known_of(task->tgid, BPF_CORE_READ(task, start_boottime));
	if (k)
		fill_cpu(e, k);
	if (first)
		return 0;
	fill(e, task);
	add_to_container(e);
	snapshot_row(processes, e, ctx->meta->seq);
	return 0;
}

/* ---- between two looks ---------------------------------------------------------------------- */

SEC("raw_tp/sched_process_exit")
int process_exit(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task(), *leader;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	const __u64 nothing = 0;
	__u64 total, *sum;
	struct known *k;
	g_container c;

	if (!wanted(&c) || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	total = task_gone_cpu_time(task) + task_cpu_time(task);
	if (leader != task)
		total += task_cpu_time(leader);
	k = bpf_map_lookup_elem(&known, &pid);
	if (k && k->start == BPF_CORE_READ(leader, start_boottime))
		total -= k->total < total ? k->total : total;
	bpf_map_delete_elem(&known, &pid);
	bpf_map_update_elem(&ended, &c, &nothing, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&ended, &c);
	if (sum)
		__sync_fetch_and_add(sum, total);
	return 0;
}
