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
struct task_rss_stat {
	int count[4];
};
struct task_struct___6_1 {
	struct task_rss_stat rss_stat; /* what this thread has yet to add to its mm's */
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

/* The same of a task's address space, with what the task itself has yet to add (up to 6.1). */
static __always_inline __u64 rss_bytes(const struct task_struct *task, int which)
{
	const struct task_struct___6_1 *old = (const void *)task;
	const struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__s64 pages = 0;
	int more = 0;

	if (!mm)
		return 0;
	switch (which) {
	case MM_FILEPAGES:
		pages = rss_pages(mm, MM_FILEPAGES);
		break;
	case MM_ANONPAGES:
		pages = rss_pages(mm, MM_ANONPAGES);
		break;
	case MM_SHMEMPAGES:
		pages = rss_pages(mm, MM_SHMEMPAGES);
		break;
	}
	if (bpf_core_field_exists(old->rss_stat.count)) {
		bpf_core_read(&more, sizeof(more), &old->rss_stat.count[which]);
		pages += more;
	}
	return pages < 0 ? 0 : (__u64)pages * g_page_bytes;
}

/* Pages of files and shared memory, which other processes may have as well. */
static __always_inline __u64 memory_shared(const struct task_struct *task)
{
	return rss_bytes(task, MM_FILEPAGES) + rss_bytes(task, MM_SHMEMPAGES);
}

/* All that it has in RAM. */
static __always_inline __u64 memory_rss(const struct task_struct *task)
{
	return memory_shared(task) + rss_bytes(task, MM_ANONPAGES);
}
