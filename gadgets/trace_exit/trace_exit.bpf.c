// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Ends of processes. The kernel ends threads; a process ends with the last of them, whichever that
 * is, and with a code that another thread may have given.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>

GADGET("Trace processes as they end\n"
       "Shows each process's exit code, or the signal that killed it and whether it left a core "
       "dump, and how long it ran; --threads shows the ends of single threads as well. Arguments "
       "and program are known from Linux 6.16 on: before, the kernel tells of the end when they "
       "are gone already.",
       ALIAS("exitsnoop")
	       LIMITS("On cgroup v1 alone, where containers share a cgroup, the end of a "
		      "container's first process is not seen.")
		       SELFTEST("sh -c 'exit 3'; true", "exit_code==3"));

PARAM(bool, threads, false, "Show each thread that ends, not only whole processes");

enum { ARGS_MAX = 4096, PATH_MAX = 4096 };

struct exit_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	__u8 exit_code DOC("What it passed to exit()") COL(width=9);
	g_signal signal DOC("Signal that killed it") COL(width=10);
	g_bool core DOC("It left a core dump") COL(width=5);
	g_duration duration DOC("Time since it was started") COL(width=9);
	g_bool group_dead DOC("The process has ended, not only one of its threads") COL(hidden);
	g_args args DOC("Arguments of the process, beginning with the program's name")
		COL(width=40, skip-empty);
	g_text exepath DOC("Path of the program") COL(hidden, ellipsis=start, skip-empty);
};
TRACER(exit, exit_event, ARGS_MAX + PATH_MAX);

/*
 * The end of a process is told when two things have come to pass: no thread is left, and the first
 * thread has passed here, so that the process's exit code stands in it. Threads that end at the
 * same moment may see either in any order, on several CPUs.
 */
enum { EMPTY, MEETING };
struct step {
	__u64 leader, start; /* which one: the task, which may be freed and used again */
	__u64 what;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct step);
	__type(value, __u8);
} steps SEC(".maps");

/* True: it is the first time. Entries are made under a lock, so one of two together is it. */
static __always_inline bool take_step(const struct task_struct *leader, __u64 what)
{
	struct step step = {(__u64)leader, BPF_CORE_READ(leader, start_boottime), what};
	__u8 yes = true;

	return !bpf_map_update_elem(&steps, &step, &yes, BPF_NOEXIST);
}

/*
 * Each of the two comes here once, and the later one tells the end. (One flag each, written and
 * then the other's read, would not do: both may read before the other's write is seen.)
 */
static __always_inline bool comes_second(const struct task_struct *leader)
{
	return !take_step(leader, MEETING);
}

/*
 * Is this the thread to tell the end of its process? (Since 6.16 the hook says which thread was the
 * last; but the code may not stand in the first one yet.)
 */
static __always_inline bool tells_end(const struct task_struct *task,
				      const struct task_struct *leader)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	bool passed; /* before there was a tracer, or too long ago to be remembered */

	if (task == leader && BPF_CORE_READ(signal, nr_threads) == 1)
		return true;
	passed = BPF_CORE_READ(leader, exit_state) != 0;
	if (task == leader && comes_second(leader))
		return true;
	if (BPF_CORE_READ(signal, live.counter) || !take_step(leader, EMPTY))
		return false;
	return comes_second(leader) || passed;
}

/* As wait() tells it: what the first thread passed that ended the process as a whole. */
static __always_inline int code_of_process(const struct task_struct *leader)
{
	if (BPF_CORE_READ(leader, signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(leader, signal, group_exit_code);
	return BPF_CORE_READ(leader, exit_code);
}

static __always_inline void fill_end(struct exit_event *e, const struct task_struct *task, int code)
{
	e->exit_code = code >> 8;
	e->signal = code & 0x7f;
	e->core = (code & 0x80) != 0;
	e->duration = e->timestamp - BPF_CORE_READ(task, start_boottime);
}

static __always_inline void fill_program(struct exit_event *e, const struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	unsigned long start;
	struct file *exe;

	if (!mm)
		return;
	start = BPF_CORE_READ(mm, arg_start);
	text_user_bytes(exit, e, args, (const void *)start, BPF_CORE_READ(mm, arg_end) - start,
			ARGS_MAX);
	exe = BPF_CORE_READ(mm, exe_file);
	if (exe)
		text_path(exit, e, exepath, &exe->f_path, PATH_MAX);
}

/* The process has the name of its first thread, which may have ended long before. */
static __always_inline void fill_process(struct exit_event *e, const struct task_struct *leader)
{
	e->proc.tid = e->proc.pid;
	bpf_core_read_str(e->proc.comm, sizeof(e->proc.comm), &leader->comm);
}

/* args: the task, which is the current one */
SEC("raw_tp/sched_process_exit")
int exited(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct exit_event *e;
	g_container c;
	bool end;

	if (!wanted_container(&c))
		return 0;
	end = tells_end(task, leader);
	if ((!end && !threads) || !task_wanted(end ? leader : task))
		return 0;
	e = record_begin(exit, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->group_dead = end;
	if (end) {
		fill_process(e, leader);
		fill_end(e, leader, code_of_process(leader));
		fill_program(e, task);
	} else {
		fill_end(e, task, BPF_CORE_READ(task, exit_code));
	}
	record_submit(exit, e);
	return 0;
}
