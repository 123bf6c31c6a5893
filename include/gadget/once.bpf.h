/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Facts that are told once. A gadget that uses it is ALONE, or has a PARAM_ALONE() for it.
 *
 *   ONCE(caps, cap_key, 16384);      struct cap_key has a field `g_container container`
 *   if (!once(caps, &key))           told before
 *           return 0;
 *
 * Where the map is full facts are told again, each time.
 */
#pragma once

#include <gadget/record.bpf.h>

#define ONCE(NAME, KEY, MAX)                          \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_HASH);      \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, MAX);             \
		__type(key, struct KEY);              \
		__type(value, __u8);                  \
	} NAME##_once SEC(".maps")

#define once(NAME, key_)                                                                     \
	({                                                                                   \
		__u8 told_ = 1;                                                              \
                                                                                             \
		!bpf_map_lookup_elem(&NAME##_once, key_) &&                                  \
			bpf_map_update_elem(&NAME##_once, key_, &told_, BPF_NOEXIST) != -17; \
	})
