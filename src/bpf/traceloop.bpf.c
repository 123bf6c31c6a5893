// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * traceloop's kernel side: system calls of wanted containers, written into overwritable rings that
 * the host maps (src/traceloop/record.h has their layout).
 *
 * These are the only programs of ours that every system call of the machine pays for, so whoever is
 * not wanted leaves after one comparison, without a call. A container that has no ring yet takes
 * one of those that the host has laid ready, so that its first call is in it.
 *
 * Records are written in place. Sizes grow in the lane's own memory, not in a register: so the
 * verifier meets the same state after each part, and is done soon.
 */
#include <gadget/kernel.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#include <gadget/types.h>

#include "../containers/additions.h"
#include "../traceloop/record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whose calls are wanted: as types.h says of g_wanted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} wanted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOOP_SLOTS);
	__type(key, __u32);
	__type(value, struct loop_seat);
} seats SEC(".maps");

/* g_container -> number of its ring, given to it once. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LOOP_RINGS);
	__type(key, __u64);
	__type(value, __u32);
} claims SEC(".maps");

/* Numbers of rings that nobody has. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, LOOP_RINGS);
	__type(value, __u32);
} spares SEC(".maps");

/* The host says how large they are before this is loaded. */
struct sheaf {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct loop_lane));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LOOP_SHEAVES + 1);
	__type(key, __u32);
	__array(values, struct sheaf);
} sheaves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOOP_CALLS + 1);
	__type(key, __u32);
	__type(value, struct loop_call);
} calls SEC(".maps");

/* Threads in a call some of whose arguments could not be read: it is tried again at the exit. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} unread SEC(".maps");

const volatile __u32 loop_mask; /* of places in a lane: its size - 1 */
const volatile __u32 loop_cpus;
__u32 n_unread; /* at least as many as are in `unread` */

__u64 additions SEC(".data.additions"); /* the host's and the detector's */

/*
 * Ids of cgroups that were looked up in vain, each with the additions there had been by then. A
 * task's cgroup is asked at every call, and ids are never used again: so it is of no account which
 * tasks are where, and only an addition makes an entry void.
 */
enum { UNWANTED_BITS = 10 };
__u64 unwanted[1 << UNWANTED_BITS];

struct iovec {
	__u64 base, size;
};
struct user_msghdr {
	__u64 name;
	__u32 name_size, unused;
	__u64 vector;
};

/* ---- whose ring ------------------------------------------------------------------- */

/* Does the kernel let us read the current task in place, without a call for each part? */
static __always_inline bool has_typed_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

static __always_inline __u64 cgroup_of_current(void)
{
	if (!has_typed_task())
		return bpf_get_current_cgroup_id();
	return bpf_get_current_task_btf()->cgroups->dfl_cgrp->kn->id;
}

static __always_inline __u64 *place_of(__u64 cgroup)
{
	return &unwanted[cgroup * 0x9e3779b97f4a7c15 >> (64 - UNWANTED_BITS)];
}

static __always_inline bool is_unwanted(__u64 cgroup)
{
	return cgroup < ADDITION && *place_of(cgroup) == (additions | cgroup);
}

/* 0, but not before n was read: on arm64 what depends on it follows that reading. */
static __always_inline __u64 nothing_of(__u64 n)
{
	asm volatile("%0 &= 0" : "+r"(n));
	return n;
}

static __always_inline bool container_of_current(__u64 cgroup, g_container *ret)
{
	__u64 now = *(volatile __u64 *)&additions, key = cgroup | nothing_of(now);
	g_container *c = bpf_map_lookup_elem(&wanted, &key);
	__u64 *place = place_of(cgroup);
	struct task_struct *task;

	/* Who was there first stays, so that two do not drive each other out at every call. */
	if (!c && cgroup < ADDITION && *place < now)
		*(volatile __u64 *)place = now | cgroup;
	if (c && *c == G_BY_NAMESPACE) {
		task = (struct task_struct *)bpf_get_current_task();
		key = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) | G_NAMESPACE_KEY;
		c = bpf_map_lookup_elem(&wanted, &key);
	}
	if (c)
		*ret = *c;
	return c;
}

/* Its first call, or it came when no ring was ready. */
static __noinline __u32 take_ring(struct loop_seat *seat, g_container c)
{
	__u32 *claimed = bpf_map_lookup_elem(&claims, &c), ring = 0;
	__u64 generation = c >> 32;

	if (claimed) {
		ring = *claimed;
	} else if (bpf_map_pop_elem(&spares, &ring)) {
		if (seat->owner != generation << 32) {
			seat->owner = generation << 32;
			seat->missed = 0;
		}
		__sync_fetch_and_add(&seat->missed, 1);
		return 0;
	} else if (bpf_map_update_elem(&claims, &c, &ring, BPF_NOEXIST)) {
		bpf_map_push_elem(&spares, &ring, BPF_ANY); /* another CPU was first */
		claimed = bpf_map_lookup_elem(&claims, &c);
		ring = claimed ? *claimed : 0;
	}
	if (seat->owner >> 32 != generation)
		seat->missed = 0;
	seat->owner = generation << 32 | ring;
	return ring;
}

static __always_inline struct loop_lane *lane_of_current(__u64 cgroup)
{
	struct loop_seat *seat;
	__u32 slot, ring, sheaf, lane;
	g_container c;
	void *map;

	if (!container_of_current(cgroup, &c))
		return NULL;
	slot = (__u32)c;
	seat = bpf_map_lookup_elem(&seats, &slot);
	if (!seat)
		return NULL;
	ring = seat->owner >> 32 == c >> 32 ? (__u32)seat->owner : 0;
	if (!ring)
		ring = take_ring(seat, c);
	sheaf = ring / LOOP_SHEAF;
	map = bpf_map_lookup_elem(&sheaves, &sheaf);
	lane = ring % LOOP_SHEAF * loop_cpus + bpf_get_smp_processor_id();
	return map ? bpf_map_lookup_elem(map, &lane) : NULL;
}

/* ---- a record --------------------------------------------------------------------- */

/*
 * Only this CPU writes here, one program at a time: kernels where a program can be preempted by
 * another one are found out by `busy`. Each look at it follows the own addition, so that of two
 * that meet at least one sees the other.
 */
static __always_inline bool lane_enter(struct loop_lane *lane)
{
	__sync_fetch_and_add(&lane->busy, 1);
	if (*(volatile __u32 *)&lane->busy == 1)
		return true;
	__sync_fetch_and_add(&lane->lost, 1);
	__sync_fetch_and_add(&lane->busy, -1);
	return false;
}

/* Where the record stands that is being written. */
static __always_inline char *record_at(struct loop_lane *lane)
{
	return (char *)(lane + 1) + ((__u32)lane->end & loop_mask & ~7u);
}

/* Its end so far, if there is so much room behind it. */
static __always_inline void *record_end(struct loop_lane *lane, __u32 room)
{
	__u32 used = lane->used;

	return used <= LOOP_RECORD - room ? record_at(lane) + used : NULL;
}

static __always_inline void fill_head(struct loop_lane *lane, struct loop_record *r, __u8 kind,
				      __s32 nr, __u8 n_args)
{
	r->kind = kind;
	r->n_args = n_args;
	r->nr = nr;
	r->time = bpf_ktime_get_boot_ns();
	r->seq = lane->seq + 1;
	r->unused = 0;
	if (has_typed_task()) {
		struct task_struct *task = bpf_get_current_task_btf();

		r->pid = task->tgid;
		r->tid = task->pid;
	} else {
		__u64 id = bpf_get_current_pid_tgid();

		r->pid = id >> 32;
		r->tid = (__u32)id;
	}
}

static __always_inline void fill_comm(struct loop_enter *e)
{
	if (has_typed_task()) {
		struct task_struct *task = bpf_get_current_task_btf();
		const __u64 *comm = (const __u64 *)task->comm;

		((__u64 *)e->comm)[0] = comm[0];
		((__u64 *)e->comm)[1] = comm[1];
	} else {
		bpf_get_current_comm(e->comm, sizeof(e->comm));
	}
}

/* The footer, and it is there. */
static __always_inline void lane_leave(struct loop_lane *lane)
{
	struct loop_record *r = (struct loop_record *)record_at(lane);
	struct loop_footer *footer = record_end(lane, sizeof(*footer));
	__u64 end = lane->end;
	__u32 place;

	if (!footer) {
		__sync_fetch_and_add(&lane->lost, 1); /* never: LOOP_RECORD is enough */
	} else {
		r->size = lane->used + sizeof(*footer);
		footer->seq = r->seq;
		footer->size = r->size;
		footer->magic = LOOP_MAGIC;
		lane->seq++;
		place = (__u32)end + r->size;
		if (place > loop_mask) {
			lane->last_end = place;
			end = ((end >> 32) + 1) << 32;
		} else {
			end += r->size;
		}
		barrier();
		*(volatile __u64 *)&lane->end = end;
	}
	__sync_fetch_and_add(&lane->busy, -1);
}

/* ---- registers -------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)

/* From r10 on: r10 r9 r8 ax cx dx si di orig_ax ip cs. */
enum { USER32_CS = 0x23, REGS_READ = 11 * 8 };

static __always_inline void read_regs(struct loop_lane *lane, const struct pt_regs *regs)
{
	__u64 *to = lane->regs, *args = lane->args;

	bpf_probe_read_kernel(to, REGS_READ, __builtin_preserve_access_index(&regs->r10));
	args[0] = to[7];
	args[1] = to[6];
	args[2] = to[5];
	args[3] = to[0];
	args[4] = to[2];
	args[5] = to[1];
}

static __always_inline __s32 number(const struct loop_lane *lane, const struct pt_regs *regs)
{
	__s32 nr = (__s32)lane->regs[8] & ~0x40000000; /* x32's */

	return lane->regs[10] == USER32_CS ? nr | LOOP_COMPAT : nr;
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline void read_regs(struct loop_lane *lane, const struct pt_regs *regs)
{
	bpf_probe_read_kernel(lane->args, LOOP_ARGS * 8,
			      __builtin_preserve_access_index(&regs->regs[0]));
	lane->args[0] = BPF_CORE_READ(regs, orig_x0);
}

static __always_inline __s32 number(const struct loop_lane *lane, const struct pt_regs *regs)
{
	__s32 nr = BPF_CORE_READ(regs, syscallno);

	return BPF_CORE_READ(regs, pstate) & 0x10 /* PSR_MODE32_BIT */ ? nr | LOOP_COMPAT : nr;
}

#endif

/* ---- what arguments point to ------------------------------------------------------ */

static __always_inline __u64 bytes_wanted(const struct loop_lane *lane, const struct loop_probe *p,
					  __s64 ret)
{
	__u64 n = 1;
	__u32 there = 0;

	if (p->of < LOOP_ARGS) {
		n = lane->args[p->of & 7];
	} else if (p->of == LOOP_OF_RESULT) {
		n = ret > 0 ? ret : 0;
	} else if (p->of < LOOP_OF_CONST) {
		bpf_probe_read_user(&there, sizeof(there), (void *)lane->args[p->of & 7]);
		n = there;
	}
	return n * p->unit;
}

static __always_inline void probe_bytes(struct loop_part *part, __u64 from, __u64 whole, __u32 max)
{
	__u32 size = whole < max ? whole : max;

	part->whole = whole;
	if (!size)
		return;
	size = ((size - 1) & (LOOP_TEXT - 1)) + 1;
	barrier_var(size);
	if (bpf_probe_read_user(part + 1, size, (void *)from))
		part->flags = LOOP_PART_FAILED;
	else
		part->size = size;
	if (whole > size)
		part->flags |= LOOP_PART_CUT;
}

static __always_inline void probe_text(struct loop_part *part, __u64 from)
{
	long n = bpf_probe_read_user_str(part + 1, LOOP_TEXT, (void *)from);

	if (n <= 0) {
		part->flags = LOOP_PART_FAILED;
		return;
	}
	part->size = n - 1;
	part->whole = n - 1;
	if (n == LOOP_TEXT)
		part->flags = LOOP_PART_CUT;
}

static __always_inline void probe_vector(struct loop_part *part, __u64 from, __u32 max)
{
	struct iovec first = {};

	if (bpf_probe_read_user(&first, sizeof(first), (void *)from))
		part->flags = LOOP_PART_FAILED;
	else
		probe_bytes(part, first.base, first.size, max);
}

/* What it was to be, where it failed: the first words, each cut. */
static __always_inline void probe_words(struct loop_part *part, __u64 from)
{
	char *to = (char *)(part + 1);
	__u64 word = 0;

	for (__u32 i = 0, used = 0; i < LOOP_WORDS; i++) {
		long n = 0;

		if (!bpf_probe_read_user(&word, sizeof(word), (void *)(from + i * sizeof(word))) &&
		    word)
			n = bpf_probe_read_user_str(to + used, LOOP_TEXT / LOOP_WORDS,
						    (void *)word);
		if (n <= 0 || n > LOOP_TEXT / LOOP_WORDS)
			break;
		used += n;
		part->size = used;
		part->whole = used;
	}
}

/* The command line as the new program got it, all at once. */
static __always_inline void probe_exec(struct loop_part *part)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	unsigned long from = BPF_CORE_READ(task, mm, arg_start);

	probe_bytes(part, from, BPF_CORE_READ(task, mm, arg_end) - from, LOOP_TEXT);
}

static __noinline int probe(struct loop_lane *lane, const struct loop_probe *p, __s64 ret)
{
	struct loop_part *part =
		record_end(lane, sizeof(*part) + LOOP_TEXT + sizeof(struct loop_footer));
	__u64 from = lane->args[p->arg & 7];
	struct user_msghdr message = {};
	int failed;

	if (!part || (!from && p->kind != LOOP_PROBE_EXEC))
		return 0;
	part->arg = p->arg;
	part->flags = 0;
	part->size = 0;
	part->whole = 0;
	if (p->kind == LOOP_PROBE_TEXT) {
		probe_text(part, from);
	} else if (p->kind == LOOP_PROBE_BYTES) {
		probe_bytes(part, from, bytes_wanted(lane, p, ret), p->max);
	} else if (p->kind == LOOP_PROBE_EXEC) {
		if (ret)
			probe_words(part, from);
		else
			probe_exec(part);
	} else {
		if (p->kind == LOOP_PROBE_MESSAGE) {
			bpf_probe_read_user(&message, sizeof(message), (void *)from);
			from = message.vector;
		}
		probe_vector(part, from, p->max);
	}
	failed = part->flags & LOOP_PART_FAILED;
	lane->used += sizeof(*part) + ((part->size + 7) & ~7u);
	return failed;
}

static __always_inline struct loop_call *call_of(__s32 nr)
{
	__u32 key = (__u32)nr < LOOP_CALLS ? (__u32)nr : LOOP_CALLS;

	return bpf_map_lookup_elem(&calls, &key);
}

/* ---- the two hooks ---------------------------------------------------------------- */

static __always_inline void copy_args(struct loop_lane *lane, struct loop_enter *e, __u32 n)
{
	for (__u32 i = 0; i < LOOP_ARGS; i++)
		if (i < n)
			e->args[i] = lane->args[i];
	lane->used = sizeof(*e) + n * sizeof(*e->args);
}

static __always_inline void write_enter(struct loop_lane *lane, const struct pt_regs *regs)
{
	struct loop_enter *e = (struct loop_enter *)record_at(lane);
	struct loop_call *call;
	__u32 tid, failed = 0;
	__s32 nr;

	read_regs(lane, regs);
	nr = number(lane, regs);
	call = call_of(nr);
	if (!call || !call->kept)
		goto out;
	fill_head(lane, &e->record, LOOP_ENTER, nr, call->n_args);
	fill_comm(e);
	copy_args(lane, e, call->n_args);
	for (int i = 0; i < LOOP_PARTS; i++) {
		if (i >= call->n_probes)
			break;
		if (!call->probes[i].at_exit)
			failed |= probe(lane, &call->probes[i], 0);
	}
	if (failed) {
		tid = e->record.tid;
		if (!bpf_map_update_elem(&unread, &tid, &tid, BPF_NOEXIST))
			__sync_fetch_and_add(&n_unread, 1);
	}
	lane_leave(lane);
	return;
out:
	__sync_fetch_and_add(&lane->busy, -1);
}

static __always_inline bool was_unread(__u32 tid)
{
	if (!n_unread || bpf_map_delete_elem(&unread, &tid))
		return false;
	__sync_fetch_and_add(&n_unread, -1);
	return true;
}

static __always_inline void write_exit(struct loop_lane *lane, const struct pt_regs *regs,
				       __s64 ret)
{
	struct loop_exit *e = (struct loop_exit *)record_at(lane);
	struct loop_call *call;
	bool again;
	__s32 nr;

	read_regs(lane, regs);
	nr = number(lane, regs);
	call = call_of(nr);
	if (!call || !call->kept)
		goto out;
	fill_head(lane, &e->record, LOOP_EXIT, nr, 0);
	e->ret = ret;
	lane->used = sizeof(*e);
	again = was_unread(e->record.tid) && (ret || !call->executes);
	for (int i = 0; i < LOOP_PARTS; i++) {
		if (i >= call->n_probes)
			break;
		if (again || call->probes[i].at_exit)
			probe(lane, &call->probes[i], ret);
	}
	lane_leave(lane);
	return;
out:
	__sync_fetch_and_add(&lane->busy, -1);
}

/* Functions of their own, so that who leaves before them saves no registers. */
static __noinline int record_enter(const struct pt_regs *regs, __u64 cgroup)
{
	struct loop_lane *lane = lane_of_current(cgroup);

	if (lane && lane_enter(lane))
		write_enter(lane, regs);
	return 0;
}

static __noinline int record_exit(const struct pt_regs *regs, __s64 ret, __u64 cgroup)
{
	struct loop_lane *lane = lane_of_current(cgroup);

	if (lane && lane_enter(lane))
		write_exit(lane, regs, ret);
	return 0;
}

SEC("raw_tp/sys_enter")
int loop_on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 cgroup = cgroup_of_current();

	if (is_unwanted(cgroup))
		return 0;
	return record_enter((const struct pt_regs *)ctx->args[0], cgroup);
}

SEC("raw_tp/sys_exit")
int loop_on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 cgroup = cgroup_of_current();

	if (is_unwanted(cgroup))
		return 0;
	return record_exit((const struct pt_regs *)ctx->args[0], ctx->args[1], cgroup);
}
