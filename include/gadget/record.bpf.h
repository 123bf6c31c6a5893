/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: records on their way to the host, and how they are counted.
 */
#pragma once

#include <gadget/wanted.bpf.h>

/* ---- exact counting ------------------------------------------------------------------------- */

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
} g_bell SEC(".maps"); /* carries wake-ups, and ids of new stacks (stack.bpf.h) */

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

/* ---- tracers -------------------------------------------------------------------------------- */

#define G_SCRATCH_IN(NAME, TYPE, TAIL, MAP, ENTRIES)                   \
	struct NAME##_scratch {                                        \
		__u32 used; /* bytes of the tail */                    \
		__u32 size; /* stands before a snapshot's row */       \
		struct TYPE record;                                    \
		char tail[(TAIL) + 8];                                 \
	};                                                             \
	enum { NAME##_tail = (TAIL) };                                 \
	struct {                                                       \
		__uint(type, MAP);                                     \
		__uint(max_entries, ENTRIES);                          \
		__type(key, __u32);                                    \
		__type(value, struct NAME##_scratch);                  \
	} NAME##_scratches SEC(".maps")

/* Each CPU has two: process context, softirq. */
#define G_SCRATCH(NAME, TYPE, TAIL) \
	G_SCRATCH_IN(NAME, TYPE, TAIL, BPF_MAP_TYPE_PERCPU_ARRAY, 2)

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
