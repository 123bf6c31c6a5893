// SPDX-License-Identifier: GPL-2.0
/*
 * For each process a graph: a mutex points to those that were waited for by a thread that had it.
 * Whoever adds an arrow looks whether it closes a circle, which only new arrows can: so the way of
 * a lock that is taken as always is short. The search is by breadth, over so many mutexes at most.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/stack.bpf.h>
#include <gadget/uprobe.bpf.h>

GADGET("Find mutexes that are locked in different orders, which may deadlock\n"
       "Where one thread locks A and then B, and another one B and then A, both wait for ever "
       "if they do it at the same time, which may be rare. It is told of when it was done for "
       "the first time, whether or not they met: one record for each thread's part, with the "
       "mutex that it had and the one that it locked; all parts of one cycle have one number.",
       LIMITS("Only pthread mutexes: not rwlocks, spin locks, semaphores, futexes of a "
	      "program's own or Go's. Of a thread 16 mutexes held at a time are known, of a "
	      "mutex 12 that are locked after it; cycles of up to 8 mutexes are found. Mutexes "
	      "held before the gadget came are not known. Two orders that a third mutex keeps "
	      "apart are told of as well; so is a mutex in the place of another one that was not "
	      "destroyed, as C++ does it, as if it were that one.")
       SELFTEST("sleep 0.5; python3 -c 'import ctypes; c = ctypes.CDLL(None);"
		"a, b = (ctypes.create_string_buffer(64) for i in range(2));"
		"[f(m) for o in ((a, b), (b, a)) for f in (c.pthread_mutex_lock,"
		"c.pthread_mutex_unlock) for m in o]'", "parts==2")
       ALONE);
PARAM(bool, ustack, false,
      "Take the user stacks of the locks, as far as they were compiled with frame pointers");
PARAM_BINARY;

enum {
	HELD = 16,     /* by a thread */
	NEXT = 12,     /* of a mutex */
	SEARCHED = 32, /* mutexes */
	LONGEST = 8,   /* cycle */
};

struct deadlock_event {
	g_time timestamp;
	g_container container;
	struct g_process proc; /* of the thread of this part */
	__u64 cycle DOC("Number of the cycle; its records have the same") COL(width=6);
	__u8 part DOC(
		"Which part of it this is: the mutex that is held in one part is locked in the "
		"next, and the last one's in the first") COL(width=4);
	__u8 parts DOC("How many there are") COL(width=5);
	g_hex held DOC("Address of the mutex that the thread had") COL(width=16);
	g_hex locked DOC("Address of the mutex that it locked then") COL(width=16);
	g_ustack ustack DOC("Where it locked it, with --ustack") COL(width=60,skip-empty);
};
TRACER(deadlock, deadlock_event, sizeof(struct g_user_stack));

/* Mutexes that a thread has, in the order in which they were locked. */
struct held {
	__u64 n;
	__u64 mutexes[HELD];
};
PENDING(threads, held);

struct mutex {
	__u64 process;
	__u64 address;
};
/* An arrow to another mutex, and who made it. */
struct arrow {
	__u64 address;
	__u32 life; /* of the other mutex */
	__u32 tid;
	g_comm comm;
};
struct node {
	__u64 n;
	__u32 life;   /* how many mutexes there were at this address */
	__u64 search; /* the last one that has met it */
	struct arrow next[NEXT];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct mutex);
	__type(value, struct node);
} nodes SEC(".maps");

struct arrow_key {
	struct mutex from;
	__u64 to;
};
struct arrow_stack {
	__u64 bytes;
	struct g_user_stack stack;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct arrow_key);
	__type(value, struct arrow_stack);
} stacks SEC(".maps") ROOM_IF(ustack);

struct
try {
	__u64 address;
};
CALLS(tries, try);

/* What a search needs; another task's on the same CPU must do without. */
struct search {
	__u64 busy;
	__u64 made; /* searches on this CPU */
	__u64 id;
	g_container container;
	__u64 process, held, locked;
	__u64 n;
	struct step {
		__u64 address;
		__u32 before; /* the step that led here */
		__u32 arrow;  /* by this one of its arrows */
	} steps[SEARCHED];
	/* Of the record that is made: */
	__u64 cycle, part, parts, from, arrow;
	struct node fresh; /* zeroes */
	struct arrow_stack stack;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct search);
} searches SEC(".maps");

volatile __u64 cycles_found;

static __always_inline struct node *node_of(__u64 process, __u64 address)
{
	struct mutex mutex = {process, address};

	return bpf_map_lookup_elem(&nodes, &mutex);
}

/* The process's, and another one's when its id is used again. */
static __always_inline __u64 this_process(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, start_boottime) << 32 |
	       bpf_get_current_pid_tgid() >> 32;
}

/*
 * Functions that are not static are verified once, not once for each call. They have no pointers as
 * arguments, which kernels before 5.12 refuse.
 */

/* ---- what is told --------------------------------------------------------------------------- */

static __always_inline struct search *this_search(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&searches, &zero);
}

int tell(void)
{
	struct search *s = this_search();
	struct deadlock_event *e;
	struct arrow_key key = {};
	struct arrow_stack *stack;
	struct node *node;
	__u64 i;

	if (!s)
		return 0;
	key.from = (struct mutex){s->process, s->from};
	node = bpf_map_lookup_elem(&nodes, &key.from);
	i = s->arrow;
	if (!node || i >= NEXT)
		return 0;
	e = record_begin_preemptible(deadlock, s->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	__builtin_memcpy(e->proc.comm, node->next[i].comm, sizeof(e->proc.comm));
	e->proc.tid = node->next[i].tid;
	e->cycle = s->cycle;
	e->part = s->part;
	e->parts = s->parts;
	e->held = s->from;
	e->locked = key.to = node->next[i].address;
	stack = ustack ? bpf_map_lookup_elem(&stacks, &key) : 0;
	if (stack)
		text_kernel_bytes(deadlock, e, ustack, &stack->stack, stack->bytes,
				  sizeof(struct g_user_stack));
	record_submit_now(deadlock, e);
	s->part++;
	return 0;
}

/* The circle is closed by the arrow `closing` of the mutex that step `last` has met. */
static __always_inline void tell_cycle(struct search *s, __u32 first, __u32 last, __u32 closing)
{
	__u32 at = last;

	s->parts = 2;
	for (int i = 0; i < LONGEST && at; i++) {
		s->parts++;
		at = s->steps[at & (SEARCHED - 1)].before;
	}
	if (s->parts > LONGEST)
		return;
	s->cycle = ++cycles_found; /* kernels before 5.12 cannot say what an atomic addition made */
	s->part = 1;
	s->from = s->held;
	s->arrow = first;
	tell();
	for (int i = 0; i < LONGEST; i++) {
		const struct step *step = &s->steps[last & (SEARCHED - 1)];

		if (i) {
			closing = step->arrow;
			last = step->before;
		}
		s->from = s->steps[last & (SEARCHED - 1)].address;
		s->arrow = closing;
		tell();
		if (!last)
			return;
	}
}

/* ---- the search ----------------------------------------------------------------------------- */

/* Looks at one arrow of step i's mutex: true if it closes the circle. */
static __always_inline bool follow(struct search *s, const struct node *node, __u32 i, __u32 k)
{
	const struct arrow *arrow = &node->next[k];
	struct node *other = node_of(s->process, arrow->address);
	__u64 n = s->n;

	if (!other || other->life != arrow->life || other->search == s->id)
		return false;
	if (arrow->address == s->held)
		return true;
	other->search = s->id;
	if (n >= SEARCHED)
		return false;
	s->steps[n].address = arrow->address;
	s->steps[n].before = i;
	s->steps[n].arrow = k;
	s->n = n + 1;
	return false;
}

/* From what was locked to what is held; `first`: the new arrow between them. */
int search(__u32 first)
{
	struct search *s = this_search();

	if (!s)
		return 0;
	s->id = ++s->made << 16 | bpf_get_smp_processor_id();
	s->steps[0].address = s->locked;
	s->n = 1;
	for (__u32 i = 0; i < SEARCHED; i++) {
		const struct node *node;

		if (i >= s->n)
			return 0;
		node = node_of(s->process, s->steps[i].address);
		for (__u32 k = 0; node && k < NEXT; k++) {
			if (k >= node->n)
				break;
			if (follow(s, node, i, k)) {
				tell_cycle(s, first, i, k);
				return 1;
			}
		}
	}
	return 0;
}

static __always_inline struct node *node_made(struct search *s, __u64 address)
{
	struct mutex mutex = {s->process, address};

	bpf_map_update_elem(&nodes, &mutex, &s->fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&nodes, &mutex);
}

/* Which one of the mutex's arrows it is, from 1; 0: there is no room for it. */
static __always_inline int add_arrow(struct search *s)
{
	struct node *from = node_made(s, s->held), *to = node_made(s, s->locked);
	struct arrow *arrow;
	__u64 i;

	if (!from || !to || from->n >= NEXT)
		return 0;
	i = from->n; /* of two that add one at once, one is lost */
	barrier_var(i);
	if (i >= NEXT)
		return 0;
	from->n = i + 1;
	arrow = &from->next[i];
	arrow->life = to->life;
	arrow->tid = (__u32)bpf_get_current_pid_tgid();
	bpf_get_current_comm(arrow->comm, sizeof(arrow->comm));
	arrow->address = s->locked;
	return i + 1;
}

/* ---- the functions -------------------------------------------------------------------------- */

static __always_inline bool is_known(const struct node *from, const struct node *to, __u64 address)
{
	if (!from || !to)
		return false;
	for (int k = 0; k < NEXT; k++)
		if (from->next[k].address == address && from->next[k].life == to->life &&
		    k < from->n)
			return true;
	return false;
}

static __always_inline void push(struct held *held, __u64 address)
{
	__u64 n = held->n;

	if (n < HELD) {
		held->mutexes[n] = address;
		held->n = n + 1;
	}
}

static __always_inline struct held *held_here(g_container c)
{
	struct held *held = pending_peek(threads);

	if (!held) {
		held = pending_begin(threads, c);
		if (held)
			held->n = 0;
	}
	return held;
}

/*
 * The mutex `address` is locked after `before`. For the first time: which of its arrows that is,
 * from 1, and the search is this task's until the arrow was looked at; else 0.
 */
int order(__u64 before, __u64 address, __u64 process, g_container c)
{
	struct search *s = this_search();
	int arrow;

	if (!s || is_known(node_of(process, before), node_of(process, address), address))
		return 0;
	if (*(volatile __u64 *)&s->busy) {
		record_lost(c);
		return 0;
	}
	*(volatile __u64 *)&s->busy = 1;
	s->container = c;
	s->process = process;
	s->held = before;
	s->locked = address;
	arrow = add_arrow(s);
	if (!arrow) {
		record_lost(c);
		*(volatile __u64 *)&s->busy = 0;
	}
	return arrow;
}

static __always_inline void look_at(void *ctx, __u32 arrow)
{
	struct search *s = this_search();
	struct arrow_key key = {};

	if (!s)
		return;
	if (ustack) {
		long bytes = g_stack_read(ctx, &s->stack.stack);

		key.from = (struct mutex){s->process, s->held};
		key.to = s->locked;
		s->stack.bytes = bytes > 0 ? bytes : 0;
		bpf_map_update_elem(&stacks, &key, &s->stack, BPF_ANY);
	}
	search(arrow);
	*(volatile __u64 *)&s->busy = 0;
}

/* A recursive one, which this thread does not wait for. */
static __always_inline bool has(const struct held *held, __u64 address)
{
	for (int i = 0; i < HELD; i++)
		if (i < held->n && held->mutexes[i] == address)
			return true;
	return false;
}

static __always_inline int lock(void *ctx, __u64 address)
{
	__u64 process;
	struct held *held;
	g_container c;
	bool again;

	if (!wanted(&c))
		return 0;
	held = held_here(c);
	if (!held)
		return 0;
	process = held->n ? this_process() : 0;
	again = has(held, address);
	for (int i = 0; !again && i < HELD; i++) {
		int arrow;

		if (i >= held->n)
			break;
		arrow = order(held->mutexes[i], address, process, c);
		if (arrow > 0)
			look_at(ctx, arrow - 1);
	}
	push(held, address);
	return 0;
}

static __always_inline int unlock(__u64 address)
{
	struct held *held = pending_peek(threads);
	__u64 n;

	if (!held)
		return 0;
	n = held->n;
	for (int i = HELD - 1; i >= 0; i--) {
		if (i >= n || held->mutexes[i] != address)
			continue;
		for (int k = i; k < HELD - 1; k++)
			held->mutexes[k] = held->mutexes[k + 1];
		held->n = n - 1;
		break;
	}
	return 0;
}

/* Another mutex is there from now on: arrows to the old one are of another life. */
static __always_inline int begin_life(__u64 address)
{
	g_container c;
	struct node *node;

	if (!wanted(&c))
		return 0;
	node = node_of(this_process(), address);
	if (node) {
		node->life++;
		node->n = 0;
	}
	return 0;
}

#define FUNCTION(NAME, LIBRARY, FUNCTION, DO) \
	SEC("uprobe/" LIBRARY ":" FUNCTION)   \
	int NAME(struct pt_regs *ctx)         \
	{                                     \
		return DO;                    \
	}

/* A library of their own before glibc 2.34. */
#define FUNCTIONS(NAME, FUNCTION_, DO)        \
	FUNCTION(NAME, "libc", FUNCTION_, DO) \
	FUNCTION(NAME##_old, "libpthread", FUNCTION_, DO)

FUNCTIONS(enter_lock, "pthread_mutex_lock", lock(ctx, PT_REGS_PARM1(ctx)))
FUNCTIONS(enter_unlock, "pthread_mutex_unlock", unlock(PT_REGS_PARM1(ctx)))
FUNCTIONS(enter_init, "pthread_mutex_init", begin_life(PT_REGS_PARM1(ctx)))
FUNCTIONS(enter_destroy, "pthread_mutex_destroy", begin_life(PT_REGS_PARM1(ctx)))

/* One that is tried waits for nobody, but others may wait for it. */
static __always_inline int enter_try(struct pt_regs *ctx)
{
	struct try *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = call_enter(tries, ctx, c);
	if (call)
		call->address = PT_REGS_PARM1(ctx);
	return 0;
}

static __always_inline int leave_try(struct pt_regs *ctx)
{
	struct try *call = call_leave(tries, ctx);
	struct held *held;
	g_container c;

	if (!call || PT_REGS_RC(ctx) || !wanted(&c))
		return 0;
	held = held_here(c);
	if (held)
		push(held, call->address);
	return 0;
}

FUNCTIONS(enter_trylock, "pthread_mutex_trylock", enter_try(ctx))

SEC("uretprobe/libc:pthread_mutex_trylock")
int leave_trylock(struct pt_regs *ctx)
{
	return leave_try(ctx);
}

SEC("uretprobe/libpthread:pthread_mutex_trylock")
int leave_trylock_old(struct pt_regs *ctx)
{
	return leave_try(ctx);
}

/* ---- the end of processes ------------------------------------------------------------------- */

static long forget_node(void *map, const struct mutex *mutex, void *value, __u64 *process)
{
	if (mutex->process == *process)
		bpf_map_delete_elem(&nodes, mutex);
	return 0;
}

static long forget_stack(void *map, const struct arrow_key *arrow, void *value, __u64 *process)
{
	if (arrow->from.process == *process)
		bpf_map_delete_elem(&stacks, arrow);
	return 0;
}

static __always_inline int forget_process(void)
{
	__u64 process = this_process();
	g_container c;

	if (!wanted_container(&c)) /* --comm's name may have changed */
		return 0;
	bpf_for_each_map_elem(&nodes, forget_node, &process, 0);
	if (ustack)
		bpf_for_each_map_elem(&stacks, forget_stack, &process, 0);
	return 0;
}

#define FORGETS                                                                         \
	OPTIONAL NEEDS(BPF_FUNC_for_each_map_elem) CANNOT_TELL(                         \
		"that a process's mutexes are gone with it: they take room, and after " \
		"16384 of them new ones are not seen")

FORGETS SEC("raw_tp/sched_process_exec") int process_exec(void *ctx)
{
	pending_end(threads); /* what the thread held was of the memory before */
	return forget_process();
}

FORGETS SEC("raw_tp/sched_process_exit") int process_exit(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, signal, live.counter) ? 0 : forget_process();
}
