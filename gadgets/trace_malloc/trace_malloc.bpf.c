// SPDX-License-Identifier: GPL-2.0
#include <gadget/gadget.bpf.h>
#include <gadget/stack.bpf.h>
#include <gadget/uprobe.bpf.h>

GADGET("Trace allocations of memory by the C library's functions\n"
       "Each call of malloc(), free() and the like is shown when it returns, with the address "
       "and the bytes that were asked for; with --outstanding, at each interval, what was "
       "allocated and not released yet, by process, and with --ustack by who allocated it. The "
       "functions are those of the containers' own C library, glibc or musl. What the library "
       "calls within itself is not shown. Each call takes the program some 40 microseconds "
       "longer: one that allocates much becomes slow.",
       LIMITS("Programs that bring their own allocator (Go, jemalloc and the like) or are "
	      "linked statically are seen only where --binary names them and they have symbols."
	      " Where the library has a function under two names (glibc's memalign() is "
	      "aligned_alloc()) one of them is shown. --outstanding knows allocations made "
	      "since it began, 262144 at a time; a forked child's copies and a part that "
	      "munmap() releases are not followed. Processes of no wanted container that have "
	      "the same file become slower too.")
       SELFTEST("sleep 0.5; perl -e 1", "operation==malloc"));
PARAM(bool, failed, false, "Show only calls that failed");
PARAM(bool, outstanding, false, "Show what is not released yet, not each call");
PARAM(g_bytes, min_size, 0, "Only calls for at least so many bytes");
PARAM(bool, ustack, false, "Take the user stack of each call");
USER_STACKS(ustack, KEPT);
PARAM_BINARY;

/* Named as the functions are, after which all are called in what is shown. */
enum malloc_operation {
	malloc = 1,
	free,
	calloc,
	realloc,
	posix_memalign,
	aligned_alloc,
	memalign,
	valloc,
	pvalloc,
	mmap,
	munmap,
};

struct malloc_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum malloc_operation operation DOC("The function") COL(width=14);
	g_hex addr DOC("What it returned, or was given to release; 0: none") COL(width=16);
	g_bytes size DOC("Bytes that were asked for, or that munmap() releases") COL(width=10);
	g_hex old_addr DOC("What realloc() was given") COL(hidden,width=16);
	g_errno error DOC("ENOMEM where there was no memory, or posix_memalign()'s result")
		COL(width=10);
	g_ustack ustack DOC("Who called it, with --ustack") COL(hidden,width=40);
};
TRACER(malloc, malloc_event, sizeof(struct g_user_stack));

struct outstanding_key {
	g_container container;
	g_comm comm DOC("Name of the process, when it allocated for the first time");
	g_pid pid DOC("Process id");
	g_uid uid DOC("User id") COL(hidden);
	g_ustack_id ustack DOC("Who allocated it, with --ustack") COL(width=60,skip-empty);
};
struct outstanding_value {
	__u64 allocations DOC("How many are not released") COL(right,width=11);
	g_bytes bytes DOC("Bytes of these") COL(width=10);
};
TOP_KEPT(outstanding, outstanding_key, outstanding_value, 16384,
	 ONLY_IF(outstanding) SORT("-bytes"));

/* What is not released. */
struct place {
	__u64 addr;
	__u64 pid;
};
struct allocation {
	__u64 size;
	__u64 since; /* ns of the boot clock */
	struct outstanding_key row; /* where it is counted */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct place);
	__type(value, struct allocation);
} live SEC(".maps") ROOM_IF(outstanding);

/* Processes that have something there, and the row of what has no stack. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct outstanding_key);
} processes SEC(".maps") ROOM_IF(outstanding);

struct call {
	g_container container;
	__u64 operation;
	__u64 size;
	__u64 given; /* realloc(): what was there; posix_memalign(): where the address goes */
	__u64 began; /* with --outstanding: ns of the boot clock */
};
CALLS(calls, call);

static __always_inline int enter(struct pt_regs *ctx, enum malloc_operation operation, __u64 size,
				 __u64 given)
{
	bool releases = outstanding && operation == realloc && given;
	struct call *call;
	g_container c;

	if ((size < min_size && !releases) || !wanted(&c))
		return 0;
	call = call_enter(calls, ctx, c);
	if (!call)
		return 0;
	call->container = c;
	call->operation = operation;
	call->size = size;
	call->given = given;
	call->began = outstanding ? bpf_ktime_get_boot_ns() : 0;
	return 0;
}

static __always_inline void tell(struct pt_regs *ctx, const struct call *call, __u64 addr,
				 __s32 error)
{
	struct malloc_event *e = record_begin_preemptible(malloc, call->container);

	if (!e)
		return;
	process_fill(&e->proc);
	e->operation = call->operation;
	e->addr = addr;
	e->size = call->size;
	e->old_addr = call->operation == realloc ? call->given : 0;
	e->error = error;
	if (ustack) {
		text_ustack(malloc, e, ustack, ctx);
		record_submit_now(malloc, e);
	} else {
		record_submit(malloc, e);
	}
}

/* ---- what is not released ------------------------------------------------------------------- */

static __always_inline void count(const struct outstanding_key *row, __s64 allocations, __s64 bytes)
{
	struct outstanding_value *n = bpf_map_lookup_elem(&outstanding_kept, row);

	if (!n)
		return;
	__sync_fetch_and_add(&n->allocations, allocations);
	__sync_fetch_and_add(&n->bytes, bytes);
}

/* What lies there since `until` or longer: another thread may have been given the place by now. */
static __always_inline void drop(__u64 addr, __u64 until)
{
	struct place place = {addr, bpf_get_current_pid_tgid() >> 32};
	struct allocation *found = bpf_map_lookup_elem(&live, &place), copy;

	if (!found || found->since > until)
		return;
	copy = *found;
	if (!bpf_map_delete_elem(&live, &place)) /* by us, of two that release it at once */
		count(&copy.row, -1, -copy.size);
}

static __always_inline void keep(struct pt_regs *ctx, const struct call *call, __u64 addr)
{
	struct place place = {addr, bpf_get_current_pid_tgid() >> 32};
	struct outstanding_key fresh = {.container = call->container, .pid = place.pid}, *known;
	struct allocation now = {.size = call->size, .since = bpf_ktime_get_boot_ns()};

	known = bpf_map_lookup_elem(&processes, &place.pid);
	if (known) {
		now.row = *known;
	} else {
		fresh.uid = bpf_get_current_uid_gid();
		bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
		bpf_map_update_elem(&processes, &place.pid, &fresh, BPF_ANY);
		now.row = fresh;
	}
	now.row.ustack = user_stack(ctx);
	if (!kept_entry(outstanding, &now.row))
		return;
	drop(addr, now.since); /* its release was not seen */
	if (bpf_map_update_elem(&live, &place, &now, BPF_ANY))
		record_lost(call->container);
	else
		count(&now.row, 1, now.size);
}

static __always_inline void account(struct pt_regs *ctx, const struct call *call, __u64 addr,
				    __s32 error)
{
	if (error)
		return;
	if (call->operation == realloc && call->given)
		drop(call->given, call->began);
	if (addr && call->size >= min_size)
		keep(ctx, call, addr);
}

static long forget_allocation(void *map, const struct place *place, void *value, __u64 *pid)
{
	if (place->pid == *pid)
		bpf_map_delete_elem(&live, place);
	return 0;
}

static long forget_row(void *map, const struct outstanding_key *row, void *value, __u64 *pid)
{
	if (row->pid == *pid)
		bpf_map_delete_elem(&outstanding_kept, row);
	return 0;
}

/* The process has no memory of before any more. */
static __always_inline int forget_process(void)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;

	if (!outstanding || bpf_map_delete_elem(&processes, &pid))
		return 0;
	bpf_for_each_map_elem(&live, forget_allocation, &pid, 0);
	bpf_for_each_map_elem(&outstanding_kept, forget_row, &pid, 0);
	return 0;
}

#define FORGETS                                                                          \
	OPTIONAL NEEDS(BPF_FUNC_for_each_map_elem) CANNOT_TELL(                          \
		"with --outstanding, that what a process had is gone with it: its rows " \
		"stay, and take room")

FORGETS SEC("raw_tp/sched_process_exec") int process_exec(void *ctx)
{
	return forget_process();
}

FORGETS SEC("raw_tp/sched_process_exit") int process_exit(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, signal, live.counter) ? 0 : forget_process();
}

/* ---- the functions -------------------------------------------------------------------------- */

/* All functions that return what they allocated, but posix_memalign(). */
static __always_inline int leave(struct pt_regs *ctx)
{
	struct call *call = call_leave(calls, ctx);
	__u64 addr = PT_REGS_RC(ctx), at;
	__s32 error = 0;

	if (!call)
		return 0;
	if (call->operation == posix_memalign) {
		error = (__s32)addr;
		at = call->given;
		addr = 0;
		if (!error)
			bpf_probe_read_user(&addr, sizeof(addr), (void *)at);
	} else if (!addr || addr == ~0ull) { /* MAP_FAILED */
		error = call->size || call->operation != realloc ? ENOMEM : 0;
		addr = 0;
	}
	if (outstanding)
		account(ctx, call, addr, error);
	else if (!failed || error)
		tell(ctx, call, addr, error);
	return 0;
}

/* These have nothing to say when they return. */
static __always_inline int release(struct pt_regs *ctx, enum malloc_operation operation, __u64 addr,
				   __u64 size)
{
	struct call call = {.operation = operation, .size = size};
	struct calls_call *within;

	if (!addr || !wanted(&call.container))
		return 0;
	within = pending_peek(calls);
	if (within && g_is_within(PT_REGS_SP(ctx), within->stack))
		return 0;
	if (outstanding)
		drop(addr, ~0ull);
	else if (!failed && (operation == munmap ? size >= min_size : !min_size))
		tell(ctx, &call, addr, 0);
	return 0;
}

#define ALLOCATES(NAME, SIZE, GIVEN)                  \
	SEC("uprobe/libc:" #NAME)                     \
	int enter_##NAME(struct pt_regs *ctx)         \
	{                                             \
		return enter(ctx, NAME, SIZE, GIVEN); \
	}                                             \
	SEC("uretprobe/libc:" #NAME)                  \
	int leave_##NAME(struct pt_regs *ctx)         \
	{                                             \
		return leave(ctx);                    \
	}

ALLOCATES(malloc, PT_REGS_PARM1(ctx), 0)
ALLOCATES(calloc, PT_REGS_PARM1(ctx) * PT_REGS_PARM2(ctx), 0)
ALLOCATES(realloc, PT_REGS_PARM2(ctx), PT_REGS_PARM1(ctx))
ALLOCATES(posix_memalign, PT_REGS_PARM3(ctx), PT_REGS_PARM1(ctx))
ALLOCATES(aligned_alloc, PT_REGS_PARM2(ctx), 0)
ALLOCATES(memalign, PT_REGS_PARM2(ctx), 0)
ALLOCATES(valloc, PT_REGS_PARM1(ctx), 0)
ALLOCATES(pvalloc, PT_REGS_PARM1(ctx), 0)
ALLOCATES(mmap, PT_REGS_PARM2(ctx), 0)

SEC("uprobe/libc:free")
int enter_free(struct pt_regs *ctx)
{
	return release(ctx, free, PT_REGS_PARM1(ctx), 0);
}

SEC("uprobe/libc:munmap")
int enter_munmap(struct pt_regs *ctx)
{
	return release(ctx, munmap, PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
}
