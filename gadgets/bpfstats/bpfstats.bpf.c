// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * BPF programs with what they take. An iterator over all open files notes who has a program or a
 * link of one; the one over programs writes the rows. Run times come from user space (programs.c).
 */
#include <gadget/programs.bpf.h>
#include <gadget/task.bpf.h>

GADGET("Show the BPF programs of the machine and what they take\n"
       "By program at each interval: how long and how often it ran, CPU, its maps, the processes "
       "that have it or a link of it, and which gadget it belongs to if it is one of ig's. A "
       "program belongs to the container of the first such process; those of the host, and those "
       "that no process has, are shown with --host. While this runs, each run of each program "
       "takes some 50 ns longer, as the kernel takes its time.",
       ALIAS("top_ebpf") ALIAS("ebpftop") LIMITS(
	       "A program that a perf event alone holds (kprobes and tracepoints of old tools) has "
	       "no process here. A map of several programs is in the memory of each. Of more than "
	       "4 "
	       "processes the first 4 are named.")
       SELFTEST("perl -e '$i = pack(q(Q2), 0xb7, 0x95); $a = pack(q(LLPPx96), 1, 2, $i,"
		" qq(GPL\\0)); syscall(`uname -m` =~ /x86/ ? 321 : 280, 5, $a, 48); "
		"sleep 1'", "comms~perl"));

/* The kernel's enum, in bpftool's words. */
enum bpf_prog_type {
	unspec,
	socket_filter,
	kprobe,
	sched_cls,
	sched_act,
	tracepoint,
	xdp,
	perf_event,
	cgroup_skb,
	cgroup_sock,
	lwt_in,
	lwt_out,
	lwt_xmit,
	sock_ops,
	sk_skb,
	cgroup_device,
	sk_msg,
	raw_tracepoint,
	cgroup_sock_addr,
	lwt_seg6local,
	lirc_mode2,
	sk_reuseport,
	flow_dissector,
	cgroup_sysctl,
	raw_tracepoint_writable,
	cgroup_sockopt,
	tracing,
	struct_ops,
	ext,
	lsm,
	sk_lookup,
	syscall,
	netfilter,
};

/* ---- the kernel's types --------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_map {
	__u32 max_entries;
	char name[16];
};
struct bpf_array {
	char value[0];
};
struct bpf_prog_aux {
	__u32 id, used_map_cnt;
	char name[16];
	struct bpf_map **used_maps;
};
struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
};
struct bpf_link {
	struct bpf_prog *prog;
};
struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

#pragma clang attribute pop

#define MAX_MAPS 64

/* ---- rows ----------------------------------------------------------------------------------- */

struct program_usage {
	g_time timestamp COL(hidden);
	g_container container;
	__u32 progID DOC("Id of the program") COL(width = 7, right);
	enum bpf_prog_type progType DOC("Type, as bpftool calls it") COL(width = 15);
	char progName[16] DOC("Name, cut by the kernel") COL(width = 16);
	char gadgetName[32] DOC("Name of the gadget that it belongs to, if it is one of ig's")
		COL(width = 16);
	g_duration runTime DOC("How long it ran since the last table, all CPUs together");
	__u64 runCount DOC("How often it ran since the last table") COL(width = 9, right);
	g_percent cpuUsage DOC("The same as percent of one CPU");
	g_percent cpuUsageRelative DOC("Percent of all CPUs") COL(hidden);
	g_duration runTimeTotal DOC("How long it ran while that was counted") COL(hidden);
	__u64 runCountTotal DOC("How often it ran while that was counted") COL(hidden, right);
	g_bytes mapMemory DOC("Kernel memory of its maps");
	__u32 mapCount DOC("Maps that it uses") COL(width = 5, right);
	__u32 processes DOC("Processes that have it or a link of it") COL(hidden, right);
	g_args comms DOC("Names of these processes, up to 4") COL(width = 16);
	g_args pids DOC("Their ids") COL(width = 12);
};
SAMPLE(programs, program_usage, 128, SORT("-cpuUsage,-runTimeTotal"));

/* ---- first: whose they are ------------------------------------------------------------------ */

struct owners {
	__u64 session; /* of the look that found them */
	g_container container;
	__u32 n, last_pid;
	__u32 comms_used, pids_used;
	char comms[64 + 16], pids[64 + 16]; /* strings one after the other; room for one more */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* the struct bpf_prog */
	__type(value, struct owners);
} owners SEC(".maps");

__u64 session;

/* Puts a string of less than 16 bytes behind those that are there. */
static __always_inline void append(char *list, __u32 *used, const char *text)
{
	__u64 at = *used;
	long n;

	barrier_var(at);
	if (at > 64)
		return;
	n = bpf_probe_read_kernel_str(list + at, 16, text);
	if (n > 0)
		*used = at + n;
}

static __always_inline void append_number(char *list, __u32 *used, __u32 number)
{
	char digits[16] = {};
	int at = 14;

	for (int i = 0; i < 10; i++) {
		digits[at--] = '0' + number % 10;
		number /= 10;
		if (!number)
			break;
	}
	append(list, used, digits + ((at + 1) & 15));
}

static __always_inline bool is_named(const struct file *file, const char *name, int length)
{
	const unsigned char *from = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char text[16] = {};

	bpf_probe_read_kernel_str(text, sizeof(text), from);
	for (int i = 0; i < length; i++)
		if (text[i] != name[i])
			return false;
	return true;
}

/* The program behind a descriptor of it or of a link; NULL: neither. */
static __always_inline struct bpf_prog *program_of(const struct file *file)
{
	static const char program[] = "bpf-prog", link[] = "bpf_link", link_5_10[] = "bpf-link";
	void *private = BPF_CORE_READ(file, private_data);

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return NULL;
	if (is_named(file, program, sizeof(program)))
		return private;
	if (is_named(file, link, sizeof(link)) || is_named(file, link_5_10, sizeof(link_5_10)))
		return BPF_CORE_READ((struct bpf_link *)private, prog);
	return NULL;
}

static __always_inline struct owners *owners_of(__u64 prog)
{
	struct owners *o = bpf_map_lookup_elem(&owners, &prog);
	static const struct owners none;

	if (o && o->session == session)
		return o;
	bpf_map_update_elem(&owners, &prog, &none, BPF_ANY);
	o = bpf_map_lookup_elem(&owners, &prog);
	if (o)
		o->session = session;
	return o;
}

SEC("iter/task_file")
int each_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct bpf_prog *prog;
	struct owners *o;
	g_container c;

	session = ctx->meta->session_id + 1;
	if (!task || !file)
		return 0;
	prog = program_of(file);
	if (!prog)
		return 0;
	o = owners_of((__u64)prog);
	if (!o || o->last_pid == task->tgid)
		return 0;
	if (!o->n)
		o->container = wanted_task(task, &c) ? c : G_NOBODY;
	o->last_pid = task->tgid;
	if (o->n++ >= 4)
		return 0;
	append(o->comms, &o->comms_used, task->comm);
	append_number(o->pids, &o->pids_used, task->tgid);
	return 0;
}

/* ---- then: the programs --------------------------------------------------------------------- */

struct known {
	__u64 looked, run_time, runs;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* the program's id */
	__type(value, struct known);
} known SEC(".maps");

/* Of this version of ig: others have no name there. */
static __always_inline bool is_counters(const struct bpf_map *map)
{
	static const char counters[16] = "g_counters";
	char name[16] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), &map->name);
	return ((__u64 *)name)[0] == ((const __u64 *)counters)[0] &&
	       ((__u64 *)name)[1] == ((const __u64 *)counters)[1] &&
	       BPF_CORE_READ(map, max_entries) == G_SLOTS + G_NAME_SLOTS;
}

/* A gadget's program has the map g_counters, with the gadget's name behind the counters. */
static __always_inline void fill_gadget(struct program_usage *e, const struct bpf_prog_aux *aux)
{
	struct bpf_map **maps = BPF_CORE_READ(aux, used_maps), *map;
	__u32 n = BPF_CORE_READ(aux, used_map_cnt);

	for (__u32 i = 0; i < MAX_MAPS && i < n; i++) {
		if (bpf_probe_read_kernel(&map, sizeof(map), maps + i))
			return;
		if (!is_counters(map))
			continue;
		bpf_probe_read_kernel_str(e->gadgetName, sizeof(e->gadgetName),
					  (const char *)map +
						  bpf_core_field_offset(struct bpf_array, value) +
						  G_SLOTS * sizeof(struct g_counters));
		return;
	}
}

static __always_inline void fill_usage(struct program_usage *e)
{
	struct g_program *now = bpf_map_lookup_elem(&g_programs, &e->progID);
	struct known *last = bpf_map_lookup_elem(&known, &e->progID), next = {};

	if (!now)
		return;
	e->runTimeTotal = now->run_time;
	e->runCountTotal = now->runs;
	e->mapMemory = now->map_bytes;
	if (last) {
		e->runTime = now->run_time - last->run_time;
		e->runCount = now->runs - last->runs;
		e->cpuUsage = percent_of(e->runTime, e->timestamp - last->looked);
		e->cpuUsageRelative = e->cpuUsage / g_cpus;
	}
	next.looked = e->timestamp;
	next.run_time = now->run_time;
	next.runs = now->runs;
	bpf_map_update_elem(&known, &e->progID, &next, BPF_ANY);
}

static __always_inline void fill_owners(struct program_usage *e, const struct owners *o)
{
	e->processes = o->n;
	text_kernel_bytes(programs, e, comms, o->comms, o->comms_used, 64);
	text_kernel_bytes(programs, e, pids, o->pids, o->pids_used, 64);
}

SEC("iter/bpf_prog")
int each_program(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;
	bool first = sample_is_first(ctx->meta);
	g_container c = g_host ? G_HOST : G_NOBODY;
	struct bpf_prog_aux *aux;
	struct program_usage *e;
	struct owners *o;
	__u64 key;

	if (!prog)
		return 0;
	key = (__u64)prog;
	o = bpf_map_lookup_elem(&owners, &key);
	if (o && o->session == session)
		c = o->container;
	if (c == G_NOBODY)
		return 0;
	e = record_begin(programs, c);
	if (!e)
		return 0;
	aux = BPF_CORE_READ(prog, aux);
	e->progID = BPF_CORE_READ(aux, id);
	e->progType = BPF_CORE_READ(prog, type);
	bpf_core_read_str(e->progName, sizeof(e->progName), &aux->name);
	e->mapCount = BPF_CORE_READ(aux, used_map_cnt);
	fill_usage(e);
	if (first)
		return 0;
	fill_gadget(e, aux);
	if (o && o->session == session)
		fill_owners(e, o);
	snapshot_row(programs, e, ctx->meta->seq);
	return 0;
}
