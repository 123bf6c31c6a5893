/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Part of gadget.bpf.h: texts of a record, its user stacks, and names of containers.
 */
#pragma once

#include <gadget/record.bpf.h>

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
#define text_container(NAME, e, field, cgroup)                                          \
	({                                                                              \
		__u64 id_ = (cgroup);                                                   \
                                                                                        \
		g_text_read(NAME, e, field, sizeof(id_),                                \
			    (g_copy_words(to_, &id_, sizeof(id_)), (long)sizeof(id_))); \
	})

/*
 * An address into a field of type struct g_peer, of which the host makes texts. It takes nothing of
 * the tail: the address lies in the record itself.
 */
#define text_peer(e, field, address)                                            \
	do {                                                                    \
		struct g_text_place at_ = {                                     \
			(__u32)((char *)&(e)->field.addr - (char *)(e)),        \
			sizeof(g_addr),                                         \
		};                                                              \
                                                                                \
		__builtin_memcpy((e)->field.addr, address, sizeof(g_addr));     \
		(e)->field.kind = (e)->field.name = (e)->field.namespace = at_; \
		(e)->field.labels = at_;                                        \
	} while (0)

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
	return n < 0 ? n : (long)__builtin_offsetof(struct g_user_stack, frames) + n;
}

/*
 * The kernel stack that led to this program into a field of type g_kstack, which takes
 * G_KSTACK_BYTES of the tail.
 */
#define text_kstack(NAME, e, field, ctx) \
	g_text_read(NAME, e, field, G_KSTACK_BYTES, bpf_get_stack(ctx, to_, G_KSTACK_BYTES, 0))
