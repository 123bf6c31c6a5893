/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What gadgets are written in. A gadget's whole description stands in its BPF source: programs,
 * record struct, parameters, words for people. It is carried to the host by BTF declaration tags.
 * docs/writing-a-gadget.md is the guide; this file is the reference.
 *
 *   GADGET("What it does", ALIAS("oldname"));       once
 *   PARAM(bool, failed, false, "Only failed ones"); a flag; its value is a constant of the program
 *   TRACER(open, open_event, 4096);                 records, each with texts of up to 4096 bytes
 *   TOP(tcp, tcp_key, tcp_value, 10240);            a keyed table, taken at each interval
 *   SNAPSHOT(process, process_entry, 0);            rows written by iterator programs
 *   PENDING(opens, open_call);                      a value per task, from enter to exit
 *
 * The way of a record in a program:
 *
 *   g_container c;
 *   if (!wanted(&c))                     the container look-up: leave at once
 *           return 0;
 *   struct open_event *e = record_begin(open, c);
 *   if (!e)
 *           return 0;
 *   e->… = …;                            every byte is zero at first
 *   text_user(open, e, path, pointer, 4096);
 *   record_submit(open, e);              predicate, count, ring
 *
 * Each record has a field `g_time timestamp` and a field `g_container container`; record_begin()
 * fills both.
 *
 * Further: <gadget/path.bpf.h> resolves paths, <gadget/socket.bpf.h> looks into sockets.
 *
 * BPF_CORE_READ() starts from a variable that points to a kernel type, not from a member of a
 * struct of the gadget's own (`call->sk`), which it would look for in the kernel as well: copy it
 * first.
 */
#pragma once

#include <gadget/kernel.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include <gadget/types.h>

/* ---- description ------------------------------------------------------------------------- */

/*
 * On a field of a record or key. COL: hidden, right, fixed, skip-empty, width=N,
 * ellipsis=start|middle|end|none.
 */
#define DOC(text) G_TAG("doc:" text)
#define COL(...) G_TAG("col:" #__VA_ARGS__)

/* In GADGET(): another name that people know it by. */
#define ALIAS(name) G_TAG("alias:" name)

/* In TOP() and SNAPSHOT(): how rows are sorted where the user does not say, as in --sort. */
#define SORT(fields) G_TAG("sort:" fields)

/* On a program: the gadget works without it, where the kernel has not got the hook. */
#define OPTIONAL G_TAG("optional")

/*
 * On a program: of the programs of one GROUP (a word) only those with the lowest n whose hooks all
 * exist are used.
 */
#define RUNG(group, n) G_TAG("rung:" #group ":" #n)

#define GADGET(text, ...) char LICENSE[] SEC("license") DOC(text) __VA_ARGS__ = "GPL"

#define PARAM(type, name, value, text) const volatile type name G_TAG("param") DOC(text) = value
#define PARAM_TEXT(name, size, text) const volatile char name[size] G_TAG("param") DOC(text) = ""

/* ---- maps and constants that the host fills ----------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} g_wanted SEC(".maps"); /* this tracer's containers: types.h tells the keys */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} g_containers SEC(".maps"); /* all containers; looked at only with --host */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, G_SLOTS);
	__type(key, __u32);
	__type(value, struct g_counters);
} g_counters SEC(".maps"); /* by slot of the container */

const volatile bool g_host;		/* follow what is in no container, too */
const volatile __u32 g_target_pid;	/* 0: any */
const volatile __u32 g_target_tid;	/* 0: any */
const volatile __s64 g_target_uid = -1; /* -1: any */
const volatile __s64 g_target_gid = -1;
const volatile char g_target_comm[16]; /* "": any */

const volatile __u32 g_page_bytes = 4096; /* of this machine */

/* ---- is this container wanted? ------------------------------------------------------------ */

static __always_inline bool g_comm_wanted(const char *comm)
{
	for (int i = 0; i < 16; i++) {
		if (comm[i] != g_target_comm[i])
			return false;
		if (!comm[i])
			break;
	}
	return true;
}

/* What --pid, --tid, --uid, --gid and --comm say to the current task. */
static __always_inline bool g_process_wanted(void)
{
	if (g_target_pid && g_target_pid != bpf_get_current_pid_tgid() >> 32)
		return false;
	if (g_target_tid && g_target_tid != (__u32)bpf_get_current_pid_tgid())
		return false;
	if (g_target_uid >= 0 && g_target_uid != (__u32)bpf_get_current_uid_gid())
		return false;
	if (g_target_gid >= 0 && g_target_gid != bpf_get_current_uid_gid() >> 32)
		return false;
	if (g_target_comm[0]) {
		char comm[16];

		bpf_get_current_comm(comm, sizeof(comm));
		return g_comm_wanted(comm);
	}
	return true;
}

/* The same of any task. */
static __always_inline bool task_wanted(const struct task_struct *task)
{
	if (g_target_pid && g_target_pid != BPF_CORE_READ(task, tgid))
		return false;
	if (g_target_tid && g_target_tid != BPF_CORE_READ(task, pid))
		return false;
	if (g_target_uid >= 0 && g_target_uid != BPF_CORE_READ(task, cred, uid.val))
		return false;
	if (g_target_gid >= 0 && g_target_gid != BPF_CORE_READ(task, cred, gid.val))
		return false;
	if (g_target_comm[0]) {
		char comm[16] = {};

		bpf_core_read_str(comm, sizeof(comm), &task->comm);
		return g_comm_wanted(comm);
	}
	return true;
}

/* Where the cgroup id did not settle it: several containers in one cgroup, or the host. */
static __always_inline bool g_wanted_slow(const g_container *by_cgroup, __u64 cgroup, __u64 ns,
					  g_container *ret)
{
	__u64 key = ns | G_NAMESPACE_KEY;
	g_container *c;

	if (by_cgroup) {
		c = bpf_map_lookup_elem(&g_wanted, &key);
		if (c) {
			*ret = *c;
			return true;
		}
	}
	if (!g_host)
		return false;
	c = bpf_map_lookup_elem(&g_containers, &cgroup);
	if (c && (*c != G_BY_NAMESPACE || bpf_map_lookup_elem(&g_containers, &key)))
		return false;
	*ret = G_HOST;
	return true;
}

static __always_inline __u32 task_mntns(const struct task_struct *task)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

/*
 * From 5.11 on a program may follow its own task's pointers by plain loads, at a tenth of the price
 * of helper calls. But each pointer that is followed costs the verifier 2 ms (6.18): for records,
 * not for the look-up that every program begins with.
 */
static __always_inline bool g_typed_task(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/*
 * The current task's container, if this tracer wants it, whatever --pid and the like say: where the
 * record is of another task than this one of its threads (task_wanted() then).
 */
static __always_inline bool wanted_container(g_container *ret)
{
	__u64 cgroup = bpf_get_current_cgroup_id();
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, task_mntns((struct task_struct *)bpf_get_current_task()),
			     ret);
}

/*
 * The current task's container, if this tracer wants it and that task. Not for softirq context: see
 * wanted_sock().
 */
static __always_inline bool wanted(g_container *ret)
{
	return wanted_container(ret) && g_process_wanted();
}

/*
 * Any task's container, if this tracer wants it and that task: for iterators, and where one task
 * does something to another.
 */
static __always_inline bool wanted_task(struct task_struct *task, g_container *ret)
{
	__u64 cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return task_wanted(task);
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, task_mntns(task), ret) && task_wanted(task);
}

/* The cgroup id of who made the socket; 0 where an old kernel does not tell. */
static __always_inline __u64 sock_cgroup(const struct sock *sk)
{
	struct sock_cgroup_data___5_14 *old = (void *)&sk->sk_cgrp_data;
	struct cgroup *cgroup;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		cgroup = (void *)BPF_CORE_READ(old, val);
		if ((__u64)cgroup & 3)
			return 0;
	}
	return BPF_CORE_READ(cgroup, kn, id);
}

/*
 * A socket's container: the only right one in softirq context, where `current` is whoever was
 * interrupted.
 */
static __always_inline bool wanted_sock(const struct sock *sk, g_container *ret)
{
	__u64 cgroup = sock_cgroup(sk);
	g_container *c = bpf_map_lookup_elem(&g_wanted, &cgroup);

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	if (!c && !g_host)
		return false;
	return g_wanted_slow(c, cgroup, BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum), ret);
}

/* ---- exact counting ----------------------------------------------------------------------- */

static __always_inline void g_count(g_container c, bool lost)
{
	__u32 slot = (__u32)c;
	struct g_counters *n = bpf_map_lookup_elem(&g_counters, &slot);

	if (!n)
		return;
	if (lost)
		__sync_fetch_and_add(&n->lost, 1);
	else
		__sync_fetch_and_add(&n->seen, 1);
}

/*
 * The host sets it when it waits for this gadget without a timer: who puts something out, or loses
 * it, rings the bell then, once. Looked at after the output, which is a barrier, so that either the
 * host sees the record before it waits or the program sees that it waits.
 */
volatile __u32 g_asleep;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} g_bell SEC(".maps"); /* carries nothing but wake-ups */

static __noinline int g_ring_bell(void)
{
	void *bell = bpf_ringbuf_reserve(&g_bell, 8, 0);

	if (!bell)
		return 0;
	g_asleep = 0; /* before the wake-up: the host may set it again after that */
	bpf_ringbuf_discard(bell, BPF_RB_FORCE_WAKEUP);
	return 1;
}

static __always_inline void g_wake(void)
{
	if (g_asleep)
		g_ring_bell();
}

/* Something happened in a wanted container that could not become a record. */
static __always_inline void record_lost(g_container c)
{
	g_count(c, false);
	g_count(c, true);
	g_wake();
}

/* ---- tracers ------------------------------------------------------------------------------ */

#define G_SCRATCH(NAME, TYPE, TAIL)                                    \
	struct NAME##_scratch {                                        \
		__u32 used; /* bytes of the tail */                    \
		__u32 size; /* stands before a snapshot's row */       \
		struct TYPE record;                                    \
		char tail[(TAIL) + 8];                                 \
	};                                                             \
	enum { NAME##_tail = (TAIL) };                                 \
	struct {                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);               \
		__uint(max_entries, 2); /* process context, softirq */ \
		__type(key, __u32);                                    \
		__type(value, struct NAME##_scratch);                  \
	} NAME##_scratches SEC(".maps")

/*
 * The predicate: the host may overwrite its body in the object before it is loaded, so that a
 * filter runs in the kernel. It sees the whole record. As shipped it says yes.
 */
#define G_PREDICATE(NAME)                                                      \
	static __noinline int NAME##_predicate(const void *record, __u32 size) \
	{                                                                      \
		int yes = 1;                                                   \
                                                                               \
		asm volatile("" : "+r"(yes) : "r"(record), "r"(size));         \
		return yes;                                                    \
	}

/*
 * A stream of `struct TYPE`, with up to TAIL bytes of texts behind each. sizeof(struct TYPE) + TAIL
 * is at most 32 KiB - 16 (a kernel limit). RING: bytes of the ring as shipped, a power of two;
 * --buffer-size changes it.
 */
#define TRACER_RING(NAME, TYPE, TAIL, RING)         \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, RING);          \
	} NAME##_ring SEC(".maps");                 \
	G_SCRATCH(NAME, TYPE, TAIL);                \
	G_PREDICATE(NAME)                           \
	const struct TYPE *const NAME##_source SEC(".gadget") G_TAG("tracer") = 0

#define TRACER(NAME, TYPE, TAIL) TRACER_RING(NAME, TYPE, TAIL, 1 << 20)

#define G_SOFTIRQ 1

#define g_record_begin(NAME, c, level)                                                       \
	({                                                                                   \
		__u32 level_ = (level);                                                      \
		struct NAME##_scratch *s_ = bpf_map_lookup_elem(&NAME##_scratches, &level_); \
		__typeof__(&s_->record) r_ = 0;                                              \
                                                                                             \
		if (s_) {                                                                    \
			s_->used = 0;                                                        \
			r_ = &s_->record;                                                    \
			__builtin_memset(r_, 0, sizeof(*r_));                                \
			r_->timestamp = bpf_ktime_get_boot_ns();                             \
			r_->container = (c);                                                 \
		}                                                                            \
		r_;                                                                          \
	})

/*
 * A zeroed record with time and container, in this CPU's scratch; NULL never happens but must be
 * tested.
 */
#define record_begin(NAME, c) g_record_begin(NAME, c, 0)
/* The same in programs that run in softirq context, which may interrupt the other kind. */
#define record_begin_softirq(NAME, c) g_record_begin(NAME, c, G_SOFTIRQ)

#define g_scratch_of(NAME, e) \
	((struct NAME##_scratch *)((char *)(e) - __builtin_offsetof(struct NAME##_scratch, record)))

/*
 * Wake the reader once for so many bytes (a power of two, well below the ring's size); while it is
 * awake a timer of the host's catches what is less. By the place of the writing end, not by how
 * much waits: that changes while the reader reads, and would wake it for every record around the
 * limit.
 */
const volatile __u32 g_wake_bytes = 64 * 1024;

static __always_inline __u64 g_wake_flags(void *ring, __u32 size)
{
	__u64 from = bpf_ringbuf_query(ring, BPF_RB_PROD_POS);
	__u64 to = from + ((size + 8 + 7) & ~7u);

	return (from ^ to) & ~(__u64)(g_wake_bytes - 1) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

#define g_record_output(NAME, record_, size_, wake)                                 \
	do {                                                                        \
		if (NAME##_predicate(record_, size_)) {                             \
			g_container c_ = (record_)->container;                      \
                                                                                    \
			g_count(c_, false);                                         \
			if (bpf_ringbuf_output(&NAME##_ring, record_, size_, wake)) \
				g_count(c_, true);                                  \
			g_wake();                                                   \
		}                                                                   \
	} while (0)

/*
 * Predicate, count, ring: puts out the `size` bytes at `record`, wherever they lie (a map's value,
 * say). record_submit() is the usual way.
 */
#define record_output(NAME, record_, size_) \
	g_record_output(NAME, record_, size_, g_wake_flags(&NAME##_ring, size_))

#define g_record_submit(NAME, e, OUTPUT, ...)                           \
	do {                                                            \
		struct NAME##_scratch *s_ = g_scratch_of(NAME, e);      \
		__u64 all_ = s_->used;                                  \
                                                                        \
		if (all_ > NAME##_tail)                                 \
			all_ = NAME##_tail;                             \
		all_ += sizeof(s_->record);                             \
		barrier_var(all_);                                      \
		if (all_ <= sizeof(s_->record) + NAME##_tail)           \
			OUTPUT(NAME, &s_->record, all_, ##__VA_ARGS__); \
	} while (0)

#define record_submit(NAME, e) g_record_submit(NAME, e, record_output)

/*
 * The same, and wakes the reader at once, which costs: where the host is to look at the process
 * before that is gone.
 */
#define record_submit_now(NAME, e) g_record_submit(NAME, e, g_record_output, BPF_RB_FORCE_WAKEUP)

/* ---- texts of a record --------------------------------------------------------------------- */

/*
 * Each puts bytes into the tail of record `e` of source NAME and their place into e->field.
 * `cap` is a constant: the most bytes that this text may take; more is cut and marked. What cannot
 * be read is empty text.
 */
#define g_text_read(NAME, e, field, cap, READ)                                     \
	({                                                                         \
		struct NAME##_scratch *s_ = g_scratch_of(NAME, e);                 \
		__u64 at_ = s_->used;                                              \
		long n_ = 0;                                                       \
                                                                                   \
		_Static_assert((cap) <= NAME##_tail, "text longer than the tail"); \
		barrier_var(at_);                                                  \
		if (at_ <= NAME##_tail - (cap)) {                                  \
			char *to_ = s_->tail + at_;                                \
                                                                                   \
			n_ = (READ);                                               \
		} else {                                                           \
			(e)->field.length = G_TRUNCATED;                           \
		}                                                                  \
		if (n_ > 0 && n_ <= (cap)) {                                       \
			(e)->field.offset = sizeof(s_->record) + at_;              \
			(e)->field.length = n_;                                    \
			s_->used = at_ + n_;                                       \
		}                                                                  \
		n_;                                                                \
	})

/* bpf_probe_read_*_str() counts the NUL; the text does not. A full buffer means that it was cut. */
#define g_text_string(NAME, e, field, cap, READ)                                            \
	({                                                                                  \
		long got_ = g_text_read(NAME, e, field, cap, READ);                         \
                                                                                            \
		if (got_ > 0) {                                                             \
			(e)->field.length = (got_ - 1) | (got_ == (cap) ? G_TRUNCATED : 0); \
			g_scratch_of(NAME, e)->used -= 1;                                   \
		}                                                                           \
		got_;                                                                       \
	})

#define text_user(NAME, e, field, pointer, cap) \
	g_text_string(NAME, e, field, cap, bpf_probe_read_user_str(to_, cap, pointer))
#define text_kernel(NAME, e, field, pointer, cap) \
	g_text_string(NAME, e, field, cap, bpf_probe_read_kernel_str(to_, cap, pointer))

/*
 * A block of `bytes` bytes (cut to cap): buffers, argv from mm->arg_start. Returns bytes taken or
 * -errno.
 */
#define g_text_block(NAME, e, field, pointer, bytes, cap, HELPER)                       \
	({                                                                              \
		__u64 want_ = (bytes);                                                  \
		bool cut_ = want_ > (cap);                                              \
		__u64 take_ = cut_ ? (cap) : want_;                                     \
		long got_ = 0;                                                          \
                                                                                        \
		barrier_var(take_);                                                     \
		if (take_ <= (cap))                                                     \
			got_ = g_text_read(NAME, e, field, cap,                         \
					   HELPER(to_, take_, pointer) ?: (long)take_); \
		if (got_ > 0 && cut_)                                                   \
			(e)->field.length |= G_TRUNCATED;                               \
		got_;                                                                   \
	})
#define text_user_bytes(NAME, e, field, pointer, bytes, cap) \
	g_text_block(NAME, e, field, pointer, bytes, cap, bpf_probe_read_user)
#define text_kernel_bytes(NAME, e, field, pointer, bytes, cap) \
	g_text_block(NAME, e, field, pointer, bytes, cap, bpf_probe_read_kernel)

static __always_inline void g_copy_words(void *to, const void *from, __u32 bytes)
{
	_Pragma("unroll") for (__u32 i = 0; i < bytes / 8; i++)((__u64 *)to)[i] =
		((const __u64 *)from)[i];
}

/*
 * The first `bytes` of a block that the program can read itself (a map's value, its stack) and that
 * is `room` bytes large, a constant multiple of 8 up to 512. Faster than text_kernel_bytes().
 */
#define text_copy(NAME, e, field, block, bytes, room)                               \
	({                                                                          \
		__u64 take_ = (bytes);                                              \
                                                                                    \
		barrier_var(take_);                                                 \
		if (take_ <= (room))                                                \
			g_text_read(NAME, e, field, room,                           \
				    (g_copy_words(to_, block, room), (long)take_)); \
	})

/* A cgroup (v2 id) into a field of type g_container_name, which takes 8 bytes of the tail. */
#define text_container(NAME, e, field, cgroup)                                             \
	({                                                                                 \
		__u64 id_ = (cgroup);                                                      \
                                                                                           \
		g_text_read(NAME, e, field, sizeof(id_),                                   \
			    (g_copy_words(to_, &id_, sizeof(id_)), (long)sizeof(id_)));    \
	})

/*
 * The current process's user stack into a field of type g_ustack, which takes
 * sizeof(struct g_user_stack) of the tail; record_submit_now() then. ctx: the program's own. What
 * was compiled without frame pointers has a short stack.
 */
#define text_ustack(NAME, e, field, ctx) \
	g_text_read(NAME, e, field, sizeof(struct g_user_stack), g_stack_read(ctx, (void *)to_))

static __always_inline long g_stack_read(void *ctx, struct g_user_stack *to)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	long n;

	to->start_stack = BPF_CORE_READ(task, mm, start_stack);
	to->pid = bpf_get_current_pid_tgid() >> 32;
	to->parent = BPF_CORE_READ(task, real_parent, tgid);
	n = bpf_get_stack(ctx, to->frames, sizeof(to->frames),
			  BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	return n < 0 ? 0 : __builtin_offsetof(struct g_user_stack, frames) + n;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/*
 * A table of `struct VALUE` by `struct KEY` (which has a field `g_container container`). The host
 * swaps two tables at each interval, so that no update is lost between two readings.
 */
#define TOP(NAME, KEY, VALUE, MAX, ...)                                          \
	struct NAME##_row {                                                      \
		struct KEY key;                                                  \
		struct VALUE value;                                              \
	};                                                                       \
	struct NAME##_table {                                                    \
		__uint(type, BPF_MAP_TYPE_HASH);                                 \
		__uint(map_flags, BPF_F_NO_PREALLOC);                            \
		__uint(max_entries, MAX);                                        \
		__type(key, struct KEY);                                         \
		__type(value, struct VALUE);                                     \
	} NAME##_table_a SEC(".maps"), NAME##_table_b SEC(".maps");              \
	struct {                                                                 \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                        \
		__uint(max_entries, 1);                                          \
		__type(key, __u32);                                              \
		__array(values, struct NAME##_table);                            \
	} NAME##_now SEC(".maps") = {.values = {[0] = (void *)&NAME##_table_a}}; \
	const struct NAME##_row *const NAME##_source SEC(".gadget") G_TAG("top") __VA_ARGS__ = 0

/*
 * The value of `key` (pointer), made zero where it is new; NULL where the table is full, which is
 * counted as lost.
 */
#define top_entry(NAME, key_)                                                                     \
	({                                                                                        \
		__u32 zero_ = 0;                                                                  \
		void *table_ = bpf_map_lookup_elem(&NAME##_now, &zero_);                          \
		__typeof__(((struct NAME##_row *)0)->value) *v_ = 0;                              \
                                                                                                  \
		if (table_) {                                                                     \
			v_ = bpf_map_lookup_elem(table_, key_);                                   \
			if (!v_) {                                                                \
				__typeof__(*v_) none_ = {};                                       \
				long r_ = bpf_map_update_elem(table_, key_, &none_, BPF_NOEXIST); \
                                                                                                  \
				v_ = bpf_map_lookup_elem(table_, key_);                           \
				if (!r_)                                                          \
					g_count((key_)->container, false);                        \
				if (!v_)                                                          \
					record_lost((key_)->container);                           \
			}                                                                         \
		}                                                                                 \
		v_;                                                                               \
	})

/* ---- snapshots ------------------------------------------------------------------------------- */

/* Rows of `struct TYPE` that programs of type iter/… write with snapshot_row(). */
#define SNAPSHOT(NAME, TYPE, TAIL, ...) \
	G_SCRATCH(NAME, TYPE, TAIL);    \
	G_PREDICATE(NAME)               \
	const struct TYPE *const NAME##_source SEC(".gadget") G_TAG("snapshot") __VA_ARGS__ = 0

/* On a program: which snapshot it feeds, where a gadget has several. */
#define FEEDS(NAME) G_TAG("feeds:" #NAME)

/* Writes record e; seq is ctx->meta->seq. */
#define snapshot_row(NAME, e, seq)                                               \
	do {                                                                     \
		struct NAME##_scratch *s_ = g_scratch_of(NAME, e);               \
		__u32 size_ = s_->used;                                          \
                                                                                 \
		if (size_ > NAME##_tail)                                         \
			size_ = NAME##_tail;                                     \
		size_ += sizeof(s_->record);                                     \
		s_->size = size_;                                                \
		barrier_var(size_);                                              \
		if (size_ <= sizeof(s_->record) + NAME##_tail &&                 \
		    NAME##_predicate(&s_->record, size_))                        \
			bpf_seq_write(seq, &s_->size, size_ + sizeof(s_->size)); \
	} while (0)

/*
 * ---- from a call's enter to its exit -----------------------------------------------------------
 *
 */

/*
 * One `struct TYPE` per task. Kept in task storage, and in an LRU hash on kernels without it (the
 * loader leaves out the map that is not used).
 */
#define PENDING(NAME, TYPE)                                                                       \
	struct NAME##_pending {                                                                   \
		__u64 set;                                                                        \
		struct TYPE value;                                                                \
	};                                                                                        \
	struct {                                                                                  \
		__uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                          \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                             \
		__type(key, int);                                                                 \
		__type(value, struct NAME##_pending);                                             \
	} NAME##_task SEC(".maps");                                                               \
	struct {                                                                                  \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                              \
		__uint(max_entries, 8192);                                                        \
		__type(key, __u64);                                                               \
		__type(value, struct NAME##_pending);                                             \
	} NAME##_lru SEC(".maps");                                                                \
	static __always_inline struct TYPE *NAME##_begin(void)                                    \
	{                                                                                         \
		struct NAME##_pending *p;                                                         \
                                                                                                  \
		if (bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE)) {   \
			p = bpf_task_storage_get(&NAME##_task, bpf_get_current_task_btf(), 0,     \
						 BPF_LOCAL_STORAGE_GET_F_CREATE);                 \
		} else {                                                                          \
			__u64 id = bpf_get_current_pid_tgid();                                    \
			struct NAME##_pending none = {};                                          \
                                                                                                  \
			bpf_map_update_elem(&NAME##_lru, &id, &none, BPF_ANY);                    \
			p = bpf_map_lookup_elem(&NAME##_lru, &id);                                \
		}                                                                                 \
		if (!p)                                                                           \
			return 0;                                                                 \
		p->set = 1;                                                                       \
		return &p->value;                                                                 \
	}                                                                                         \
	static __always_inline struct TYPE *NAME##_find(bool end)                                 \
	{                                                                                         \
		struct NAME##_pending *p;                                                         \
                                                                                                  \
		if (bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE)) {   \
			p = bpf_task_storage_get(&NAME##_task, bpf_get_current_task_btf(), 0, 0); \
		} else {                                                                          \
			__u64 id = bpf_get_current_pid_tgid();                                    \
                                                                                                  \
			p = bpf_map_lookup_elem(&NAME##_lru, &id);                                \
		}                                                                                 \
		if (!p || !p->set)                                                                \
			return 0;                                                                 \
		if (end)                                                                          \
			p->set = 0;                                                               \
		return &p->value;                                                                 \
	}                                                                                         \
	struct NAME##_pending

/*
 * At the enter: the task's value, old content inside. NULL (counted as lost) where memory is out.
 *
 */
#define pending_begin(NAME, c)                                  \
	({                                                      \
		__typeof__(NAME##_begin()) p_ = NAME##_begin(); \
                                                                \
		if (!p_)                                        \
			record_lost(c);                         \
		p_;                                             \
	})
/* At the exit: what the enter left, once; NULL where there was none. */
#define pending_end(NAME) NAME##_find(true)
/* Between the two. */
#define pending_peek(NAME) NAME##_find(false)

/*
 * ---- contexts and common fields
 * ------------------------------------------------------------------
 */

/*
 * Contexts of SEC("tp/syscalls/sys_enter_NAME") and sys_exit_NAME. Do not touch arguments that the
 * call does not have.
 */
struct syscall_enter {
	__u64 common;
	__s64 nr;
	__u64 args[6];
};

struct syscall_exit {
	__u64 common;
	__s64 nr;
	__s64 ret;
};

/*
 * Any task: for iterators, and where the kernel lets a program not look at its current task
 * directly.
 */
static __always_inline void process_fill_task(struct g_process *p, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	/* All 16 bytes go into keys of tables: none may be left from what lay there before. */
	__builtin_memset(p->comm, 0, sizeof(p->comm));
	__builtin_memset(p->parent.comm, 0, sizeof(p->parent.comm));
	bpf_core_read_str(p->comm, sizeof(p->comm), &task->comm);
	p->pid = BPF_CORE_READ(task, tgid);
	p->tid = BPF_CORE_READ(task, pid);
	p->creds.uid = BPF_CORE_READ(task, cred, uid.val);
	p->creds.gid = BPF_CORE_READ(task, cred, gid.val);
	p->parent.pid = BPF_CORE_READ(parent, tgid);
	bpf_core_read_str(p->parent.comm, sizeof(p->parent.comm), &parent->comm);
	p->mntns_id = task_mntns(task);
}

/* All 16 bytes, as two numbers: the kernel's names end with a NUL. */
#define g_comm_copy(to, from)                                    \
	do {                                                     \
		((__u64 *)(to))[0] = ((const __u64 *)(from))[0]; \
		((__u64 *)(to))[1] = ((const __u64 *)(from))[1]; \
	} while (0)

/* The current process. */
static __always_inline void process_fill(struct g_process *p)
{
	__u64 owner = bpf_get_current_uid_gid();
	struct task_struct *task, *parent;

	if (!g_typed_task()) {
		process_fill_task(p, (struct task_struct *)bpf_get_current_task());
		return;
	}
	task = bpf_get_current_task_btf();
	parent = task->real_parent;
	g_comm_copy(p->comm, task->comm);
	p->pid = task->tgid;
	p->tid = task->pid;
	p->creds.uid = (__u32)owner;
	p->creds.gid = owner >> 32;
	p->parent.pid = parent->tgid;
	g_comm_copy(p->parent.comm, parent->comm);
	p->mntns_id = task->nsproxy->mnt_ns->ns.inum;
}

/* The current process's file behind descriptor `fd`; NULL: none. */
static __always_inline struct file *file_of_fd(int fd)
{
	struct task_struct *task;
	struct fdtable *table;
	struct file **files, *file = NULL;
	__u32 max;

	if (g_typed_task()) {
		table = bpf_get_current_task_btf()->files->fdt;
		files = table->fd;
		max = table->max_fds;
	} else {
		task = (struct task_struct *)bpf_get_current_task();
		table = BPF_CORE_READ(task, files, fdt);
		files = BPF_CORE_READ(table, fd);
		max = BPF_CORE_READ(table, max_fds);
	}
	if (fd < 0 || (__u32)fd >= max)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}
