/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Stacks as fields of tables, where the same stack is met again and again: the table has an id of
 * it, and its frames lie once in a map. (A record of a tracer has its stack in itself:
 * text_ustack() and text_kstack().)
 *
 *   PARAM(bool, ustack, false, "…");
 *   USER_STACKS(ustack);                      once in a gadget, and behind its parameter
 *   struct alloc_key {
 *           g_container container;
 *           g_ustack_id ustack DOC("…");
 *   …
 *           key.ustack = user_stack(ctx);     0 where the parameter is false
 *
 * KERNEL_STACKS(), kernel_stack() and g_kstack_id are the same for the kernel's.
 *
 * The maps have room only where the parameter is true, and take memory for what they hold: 2 KiB
 * for each different user stack, of at most 8192, 1 KiB for each kernel stack, of at most 16384.
 * (With G_PREALLOCATED, table.bpf.h, for all of that, so that one says less by G_USER_STACKS.)
 * They are emptied when the tables are taken: an id that is kept elsewhere, from one interval to
 * another, needs USER_STACKS(ustack, KEPT), and then a full map stays full.
 *
 * Ids are hashes of the frames, of 64 bits. A stack that could not be had or kept has an id that
 * says why, which is shown in its place: so what is counted for it is counted all the same.
 */
#pragma once

#include <gadget/table.bpf.h>
#include <gadget/text.bpf.h>

#ifndef G_USER_STACKS
#define G_USER_STACKS 8192
#endif
#ifndef G_KERNEL_STACKS
#define G_KERNEL_STACKS 16384
#endif

/* Argument of USER_STACKS() and KERNEL_STACKS(): ids are valid as long as the gadget runs. */
#define KEPT G_TAG("kept")

struct g_kept_ustack {
	__u64 bytes; /* of the stack, that count */
	struct g_user_stack stack;
	__u64 files; /* a hash of what must be looked at to name its functions */
};

/* What the host was told of, and when: to look at it again and again would be dear. */
#define G_TELL_AGAIN_NS 10000000000ull
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} g_told SEC(".maps");

struct g_kept_kstack {
	__u64 bytes;
	__u64 frames[G_STACK_FRAMES];
};

/* Which of two maps is filled: the host changes it when it takes the tables. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} g_stack_turn SEC(".maps");

#define G_STACKS(NAME, TYPE, MAX, PARAM_, ...)                                        \
	struct NAME##_map {                                                           \
		__uint(type, BPF_MAP_TYPE_HASH);                                      \
		__uint(map_flags, G_TABLE_FLAGS);                                     \
		__uint(max_entries, MAX);                                             \
		__type(key, __u64);                                                   \
		__type(value, struct TYPE);                                           \
	};                                                                            \
	struct NAME##_map NAME##_a SEC(".maps") G_TAG("stacks:" #PARAM_) __VA_ARGS__; \
	struct NAME##_map NAME##_b SEC(".maps") G_TAG("stacks:" #PARAM_) __VA_ARGS__; \
	struct {                                                                      \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                             \
		__uint(max_entries, 2);                                               \
		__type(key, __u32);                                                   \
		__array(values, struct NAME##_map);                                   \
	} NAME##_maps SEC(".maps") = {                                                \
		.values = {[0] = (void *)&NAME##_a, [1] = (void *)&NAME##_b}};        \
	struct NAME##_scratch {                                                       \
		__u64 busy; /* an interrupt came while it was in use */               \
		struct TYPE kept;                                                     \
	};                                                                            \
	struct {                                                                      \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                              \
		__uint(max_entries, 1);                                               \
		__type(key, __u32);                                                   \
		__type(value, struct NAME##_scratch);                                 \
	} NAME##_scratches SEC(".maps")

/* The host was not told of these files lately: it looks at the process, which may soon be gone. */
static __always_inline bool g_stack_is_news(__u64 files)
{
	__u64 now = bpf_ktime_get_ns(), *told = bpf_map_lookup_elem(&g_told, &files);

	if (told && now - *told < G_TELL_AGAIN_NS)
		return false;
	bpf_map_update_elem(&g_told, &files, &now, BPF_ANY);
	return true;
}

/* files: of a user stack, else 0. */
static __always_inline __u64 g_stack_keep(void *maps, __u64 id, void *kept, __u64 files)
{
	__u32 zero = 0, *turn = bpf_map_lookup_elem(&g_stack_turn, &zero);
	void *map = turn ? bpf_map_lookup_elem(maps, turn) : 0;
	int r; /* as the kernel has it: before 6.4 the upper half of the register means nothing */

	if (!map)
		return EBUSY;
	if (bpf_map_lookup_elem(map, &id))
		return id;
	r = bpf_map_update_elem(map, &id, kept, BPF_NOEXIST);
	if (!r && files && g_stack_is_news(files))
		bpf_ringbuf_output(&g_bell, &id, sizeof(id), BPF_RB_FORCE_WAKEUP);
	return !r || r == -EEXIST ? id : -r; /* EEXIST: another CPU was quicker */
}

/* The id of the stack that READ() fills in; an errno where it cannot. */
#define g_stack_id(NAME, ctx, READ, FILES)                                                  \
	({                                                                                  \
		__u32 zero_ = 0;                                                            \
		struct NAME##_scratch *s_ = bpf_map_lookup_elem(&NAME##_scratches, &zero_); \
		__u64 id_ = EBUSY;                                                          \
                                                                                            \
		if (s_ && !s_->busy) {                                                      \
			*(volatile __u64 *)&s_->busy = 1;                                   \
			id_ = READ(ctx, &s_->kept);                                         \
			if (id_ >= G_STACK_IDS)                                             \
				id_ = g_stack_keep(&NAME##_maps, id_, &s_->kept, FILES);    \
			*(volatile __u64 *)&s_->busy = 0;                                   \
		}                                                                           \
		id_;                                                                        \
	})

static __always_inline __u64 g_stack_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static __always_inline __u64 g_stack_hash(__u64 hash)
{
	return hash < G_STACK_IDS ? hash + G_STACK_IDS : hash;
}

/* Frames that are addresses mean something in one address space only. */
static __always_inline __u64 g_ustack_read(void *ctx, struct g_kept_ustack *to)
{
	struct g_user_stack *s = &to->stack;
	long n = g_stack_read(ctx, s);
	__u64 hash = n, files = 1, last = 0;
	bool own = false;

	if (n < 0)
		return -n;
	to->bytes = n;
	n = (n - __builtin_offsetof(struct g_user_stack, frames)) / sizeof(s->frames[0]);
	if (n <= 0)
		return 0; /* a kernel thread's */
	for (int i = 0; i < G_STACK_FRAMES && i < n; i++) {
		const struct g_stack_frame *f = &s->frames[i];
		__u64 file = *(const __u64 *)&f->build_id[4];

		own |= f->status != G_FRAME_BUILD_ID;
		hash = g_stack_mix(hash, f->where);
		hash = g_stack_mix(hash, file);
		files = g_stack_mix(files, file) * (file != last) + files * (file == last);
		last = file;
	}
	if (own) {
		hash = g_stack_mix(g_stack_mix(hash, s->pid), s->start_stack);
		files = g_stack_mix(g_stack_mix(files, s->pid), s->start_stack);
	}
	to->files = files ?: 1;
	return g_stack_hash(hash);
}

static __always_inline __u64 g_kstack_read(void *ctx, struct g_kept_kstack *to)
{
	long n = bpf_get_stack(ctx, to->frames, sizeof(to->frames), 0);
	__u64 hash = n;

	if (n <= 0)
		return -n;
	to->bytes = n;
	n /= sizeof(to->frames[0]);
	for (int i = 0; i < G_STACK_FRAMES && i < n; i++)
		hash = g_stack_mix(hash, to->frames[i]);
	return g_stack_hash(hash);
}

#define USER_STACKS(PARAM_, ...)                                                       \
	G_STACKS(g_ustacks, g_kept_ustack, G_USER_STACKS, PARAM_, ##__VA_ARGS__);      \
	static __noinline g_ustack_id user_stack(void *ctx)                            \
	{                                                                              \
		return (PARAM_) ? g_stack_id(g_ustacks, ctx, g_ustack_read, s_->kept.files) : 0; \
	}                                                                              \
	_Static_assert(sizeof(struct g_kept_ustack) <= 1984, "2 KiB with the map's own")

#define KERNEL_STACKS(PARAM_, ...)                                                      \
	G_STACKS(g_kstacks, g_kept_kstack, G_KERNEL_STACKS, PARAM_, ##__VA_ARGS__);     \
	static __noinline g_kstack_id kernel_stack(void *ctx)                           \
	{                                                                               \
		return (PARAM_) ? g_stack_id(g_kstacks, ctx, g_kstack_read, 0) : 0; \
	}                                                                               \
	_Static_assert(sizeof(struct g_kept_kstack) <= 960, "1 KiB with the map's own")
