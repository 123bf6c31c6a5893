/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What an address space (struct mm_struct, in kernel memory) has in memory.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct percpu_counter {
	__s64 count;
};
struct mm_struct___counters { /* since 6.2 */
	struct percpu_counter rss_stat[4];
};
struct mm_rss_stat {
	atomic64_t count[4];
};
struct mm_struct___6_1 {
	struct mm_rss_stat rss_stat;
};

#pragma clang attribute pop

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES }; /* indexes of rss_stat */

#define rss_pages(mm, which)                                                         \
	({                                                                           \
		const struct mm_struct___counters *now_ = (const void *)(mm);        \
		const struct mm_struct___6_1 *old_ = (const void *)(mm);             \
		__s64 pages_ = 0;                                                    \
                                                                                     \
		if (bpf_core_field_exists(now_->rss_stat[which].count))              \
			pages_ = BPF_CORE_READ(now_, rss_stat[which].count);         \
		else if (bpf_core_field_exists(old_->rss_stat.count))                \
			pages_ = BPF_CORE_READ(old_, rss_stat.count[which].counter); \
		pages_ < 0 ? 0 : pages_; /* without what each CPU has yet to add */  \
	})

/* All that is in memory, in bytes; of it, what others may share: of files, and shared memory. */
static __always_inline __u64 memory_shared(const struct mm_struct *mm)
{
	return (__u64)(rss_pages(mm, MM_FILEPAGES) + rss_pages(mm, MM_SHMEMPAGES)) * g_page_bytes;
}

static __always_inline __u64 memory_rss(const struct mm_struct *mm)
{
	return memory_shared(mm) + (__u64)rss_pages(mm, MM_ANONPAGES) * g_page_bytes;
}
