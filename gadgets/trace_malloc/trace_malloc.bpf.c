// SPDX-License-Identifier: GPL-2.0
#include <gadget/gadget.bpf.h>
#include <gadget/uprobe.bpf.h>

GADGET("Trace allocations of memory by the C library's functions\n"
       "Each call of malloc(), free() and the like is shown when it returns, with the address and "
       "the bytes that were asked for. The functions are those of the containers' own C library, "
       "glibc or musl. What the library calls within itself is not shown. Each call takes the "
       "program some 40 microseconds longer: a program that allocates much becomes slow.",
       LIMITS("Programs that bring their own allocator (Go, jemalloc and the like) or are linked "
	      "statically are seen only where --binary names them and they have symbols. "
	      "Processes of no wanted container that have the same file become slower too.")
       SELFTEST("sleep 0.5; perl -e 1", "operation==malloc"));
PARAM(bool, failed, false, "Show only calls that failed");
PARAM(g_bytes, min_size, 0, "Show only calls for at least so many bytes");
PARAM(bool, ustack, false, "Take the user stack of each call");
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

struct call {
	g_container container;
	__u64 operation;
	__u64 size;
	__u64 given; /* realloc(): what was there; posix_memalign(): where the address goes */
};
CALLS(calls, call);

static __always_inline int enter(struct pt_regs *ctx, enum malloc_operation operation, __u64 size,
				 __u64 given)
{
	struct call *call;
	g_container c;

	if (size < min_size || !wanted(&c))
		return 0;
	call = call_enter(calls, ctx, c);
	if (!call)
		return 0;
	call->container = c;
	call->operation = operation;
	call->size = size;
	call->given = given;
	return 0;
}

static __always_inline void tell(struct pt_regs *ctx, const struct call *call, __u64 addr,
				 __s32 error)
{
	struct malloc_event *e = record_begin(malloc, call->container);

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
	if (!failed || error)
		tell(ctx, call, addr, error);
	return 0;
}

/* These have nothing to say when they return. */
static __always_inline int release(struct pt_regs *ctx, enum malloc_operation operation, __u64 addr,
				   __u64 size)
{
	struct call call = {.operation = operation, .size = size};
	struct calls_call *within;

	if (failed || !addr || (operation == munmap ? size < min_size : min_size > 0) ||
	    !wanted(&call.container))
		return 0;
	within = pending_peek(calls);
	if (!within || !g_is_within(PT_REGS_SP(ctx), within->stack))
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
