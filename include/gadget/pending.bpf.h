/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: what a task leaves at a call's enter for the exit.
 */
#pragma once

#include <gadget/record.bpf.h>

/*
 * One `struct TYPE` per task. Kept in task storage, and in an LRU hash of MAX on kernels without it
 * (the loader leaves out the map that is not used).
 */
#define PENDING(NAME, TYPE) PENDING_MAX(NAME, TYPE, 8192)
#define PENDING_MAX(NAME, TYPE, MAX)                                                              \
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
		__uint(max_entries, MAX);                                                         \
		__type(key, __u64);                                                               \
		__type(value, struct NAME##_pending);                                             \
	} NAME##_lru SEC(".maps");                                                                \
	static const struct NAME##_pending NAME##_none = {}; /* may be large for the stack */     \
	static __always_inline struct TYPE *NAME##_begin(void)                                    \
	{                                                                                         \
		struct NAME##_pending *p;                                                         \
                                                                                                  \
		if (bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE)) {   \
			p = bpf_task_storage_get(&NAME##_task, bpf_get_current_task_btf(), 0,     \
						 BPF_LOCAL_STORAGE_GET_F_CREATE);                 \
		} else {                                                                          \
			__u64 id = bpf_get_current_pid_tgid();                                    \
                                                                                                  \
			bpf_map_update_elem(&NAME##_lru, &id, &NAME##_none, BPF_ANY);             \
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
