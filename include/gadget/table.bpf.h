/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: tables that are taken at each interval, and rows of snapshots.
 */
#pragma once

#include <gadget/record.bpf.h>

/* ---- tables --------------------------------------------------------------------------------- */

/*
 * A gadget whose programs run where no memory can be had, such as in the scheduler, says
 * `#define G_PREALLOCATED` before it includes anything: its TOP() tables and maps of stacks have
 * memory for all entries from the start. (Since 6.1 the kernel has a way to get some even there.)
 */
#ifdef G_PREALLOCATED
#define G_TABLE_FLAGS 0
#else
#define G_TABLE_FLAGS BPF_F_NO_PREALLOC
#endif

/*
 * A table of `struct VALUE` by `struct KEY` (which has a field `g_container container`). The host
 * swaps two tables at each interval, so that no update is lost between two readings.
 */
#define TOP(NAME, KEY, VALUE, MAX, ...)                                              \
	struct NAME##_row {                                                          \
		struct KEY key;                                                      \
		struct VALUE value;                                                  \
	};                                                                           \
	struct NAME##_table {                                                        \
		__uint(type, BPF_MAP_TYPE_HASH);                                     \
		__uint(map_flags, G_TABLE_FLAGS);                                    \
		__uint(max_entries, MAX);                                            \
		__type(key, struct KEY);                                             \
		__type(value, struct VALUE);                                         \
	} NAME##_table_a SEC(".maps"), NAME##_table_b SEC(".maps");                  \
	struct {                                                                     \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                            \
		__uint(max_entries, 1);                                              \
		__type(key, __u32);                                                  \
		__array(values, struct NAME##_table);                                \
	} NAME##_now SEC(".maps") = {.values = {[0] = (void *)&NAME##_table_a}};     \
	static const struct VALUE NAME##_none = {}; /* may be large for the stack */ \
	const struct NAME##_row *const NAME##_source SEC(".gadget") G_TAG("top") __VA_ARGS__ = 0

/*
 * The value of `key` (pointer), made zero where it is new; NULL where the table is full, which is
 * counted as lost.
 */
#define top_entry(NAME, key_)                                                             \
	({                                                                                \
		__u32 zero_ = 0;                                                          \
		void *table_ = bpf_map_lookup_elem(&NAME##_now, &zero_);                  \
		__typeof__(((struct NAME##_row *)0)->value) *v_ = 0;                      \
                                                                                          \
		if (table_) {                                                             \
			v_ = bpf_map_lookup_elem(table_, key_);                           \
			if (!v_) {                                                        \
				long r_ = bpf_map_update_elem(table_, key_, &NAME##_none, \
							      BPF_NOEXIST);               \
                                                                                          \
				v_ = bpf_map_lookup_elem(table_, key_);                   \
				if (!r_)                                                  \
					g_count((key_)->container, false);                \
				if (!v_)                                                  \
					record_lost((key_)->container);                   \
			}                                                                 \
		}                                                                         \
		v_;                                                                       \
	})

/*
 * A key's first zeroes, those between and behind its members too: an initializer may leave these as
 * they are, and all bytes count.
 */
#define top_key_clear(key) __builtin_memset(&(key), 0, sizeof(key))

/*
 * A table whose rows stay when they were shown, for what rises and falls: memory in use. Rows of
 * zeroes are not shown.
 */
#define TOP_KEPT(NAME, KEY, VALUE, MAX, ...)             \
	struct NAME##_row {                              \
		struct KEY key;                          \
		struct VALUE value;                      \
	};                                               \
	struct {                                         \
		__uint(type, BPF_MAP_TYPE_HASH);         \
		__uint(map_flags, BPF_F_NO_PREALLOC);    \
		__uint(max_entries, MAX);                \
		__type(key, struct KEY);                 \
		__type(value, struct VALUE);             \
	} NAME##_kept SEC(".maps");                      \
	const struct NAME##_row *const NAME##_source SEC(".gadget") G_TAG("top") __VA_ARGS__ = 0

/*
 * The value of `key` (pointer) in such a table, made zero where it is new; NULL where the table is
 * full, which is counted as lost.
 */
#define kept_entry(NAME, key_)                                                       \
	({                                                                           \
		__typeof__(((struct NAME##_row *)0)->value) none_ = {}, *v_;         \
                                                                                     \
		v_ = bpf_map_lookup_elem(&NAME##_kept, key_);                        \
		if (!v_) {                                                           \
			bpf_map_update_elem(&NAME##_kept, key_, &none_, BPF_NOEXIST); \
			v_ = bpf_map_lookup_elem(&NAME##_kept, key_);                \
			if (!v_)                                                     \
				record_lost((key_)->container);                      \
		}                                                                    \
		v_;                                                                  \
	})

/*
 * On a field of a TOP()'s value: how much of another field of it, which stands before, there was in
 * a second. Both are 64-bit numbers. The program leaves it alone: the host fills it when it takes
 * the table.
 */
#define PER_SECOND(field) G_TAG("per-second:" #field)

/* In TOP() and TOP_KEPT(): there is such a table only where the parameter, a bool, is true. */
#define ONLY_IF(param) G_TAG("only:" #param)

/* On a map: it has room for its entries only where the parameter, a bool, is true. */
#define ROOM_IF(param) G_TAG("room:" #param)

/* ---- snapshots ------------------------------------------------------------------------------ */

/* Rows of `struct TYPE` that programs of type iter/… write with snapshot_row(). */
#define SNAPSHOT(NAME, TYPE, TAIL, ...) \
	G_SCRATCH(NAME, TYPE, TAIL);    \
	G_PREDICATE(NAME)               \
	const struct TYPE *const NAME##_source SEC(".gadget") G_TAG("snapshot") __VA_ARGS__ = 0

/*
 * A table whose rows are not kept by programs but written by iterators, with snapshot_row() too, at
 * each interval. What is shown is then a difference to the last time, which the program keeps.
 */
#define SAMPLE(NAME, TYPE, TAIL, ...) \
	G_SCRATCH(NAME, TYPE, TAIL);  \
	G_PREDICATE(NAME)             \
	const struct TYPE *const NAME##_source SEC(".gadget") G_TAG("sample") __VA_ARGS__ = 0

/*
 * In a program that feeds a SAMPLE: this is the look that is taken when the gadget is attached, to
 * have something to compare with. Nobody is shown what it finds.
 */
#define sample_is_first(meta)                            \
	({                                               \
		static __u64 first_;                     \
                                                         \
		if (!first_)                             \
			first_ = (meta)->session_id + 1; \
		first_ == (meta)->session_id + 1;        \
	})

/* On a program: which snapshot or sample it feeds, where a gadget has several. */
#define FEEDS(NAME) G_TAG("feeds:" #NAME)

/*
 * On such a program: it runs after the others of the same source. They run one after the other, by
 * section and then as they stand in the source.
 */
#define LAST G_TAG("last")

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
 * For fields of type g_percent: what `part` is of `whole`, in parts of 10^9. By parts of a million
 * where the numbers are so large that the product would not fit.
 */
static __always_inline __u64 percent_of(__u64 part, __u64 whole)
{
	if (whole > 1000000000000ull || part > 18000000000ull) {
		part /= 1000000;
		whole /= 1000000;
	}
	return whole ? part * 1000000000ull / whole : 0;
}
