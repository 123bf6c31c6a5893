// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Executions. A successful one is taken where the kernel has just built the new image, whose
 * arguments lie in one block that is in memory for certain: strings that the caller passed may lie
 * in file pages not touched yet, which cannot be read at the enter. A failed one is taken at the
 * call's exit, when the old image still stands and the kernel has mostly just read the arguments.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/tty.bpf.h>

GADGET("Trace programs as they are executed\n"
       "Shows each execve and execveat, also those that fail, with all arguments up to 16 KiB (of "
       "a failed one, each up to 4 KiB); what is longer is cut and marked.",
       ALIAS("execsnoop")
	       LIMITS("A fork without an exec is not shown, nor code that a process loads or "
		      "makes while it runs.") SELFTEST("cat /dev/null; true", "args~/dev/null"));

PARAM(bool, ignore_failed, false, "Leave out executions that failed");

enum {
	ARGS_MAX = 16 * 1024,
	FILE_MAX = 4096,
	PARENT_PATH_MAX = 1024,
	FAILED_ARGS = 256, /* of a failed execution, so many arguments of so many bytes each */
	FAILED_ARG_MAX = 4096,
	WORKS = 32, /* the square of it: entries of a task's list of work that are looked at */
};

struct exec_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_errno error DOC("Why the execution failed") COL(width=10);
	g_args args DOC("Arguments, beginning with the program's name") COL(width=48);
	g_text file DOC("Program, as the process passed it") COL(hidden, ellipsis=start);
	g_text exepath DOC("Path of the program that runs now: for scripts, the interpreter")
		COL(hidden, ellipsis=start);
	g_text cwd DOC("Current folder") COL(hidden, ellipsis=start);
	g_text parent_exepath DOC("Program of the parent process") COL(hidden, ellipsis=start);
	g_tty tty DOC("Terminal") COL(hidden);
	g_uid loginuid DOC("User id at login; 4294967295: none") COL(hidden);
	__u32 sessionid DOC("Audit session; 4294967295: none") COL(hidden);
	__u32 args_count DOC("Number of arguments; of a failed execution, of those read")
		COL(hidden);
	g_bytes args_size DOC("Bytes of all arguments; of a failed execution, of those read")
		COL(hidden);
	g_inode inode DOC("Inode of the program") COL(hidden);
	g_dev dev DOC("Device of the program") COL(hidden);
	g_bool upper_layer
		DOC("The program was added or changed in the container: it is in the upper layer")
			COL(hidden);
	g_bool pupper_layer DOC("The same of the parent process's program") COL(hidden);
	g_bool from_rootfs
		DOC("The program lies in the container's root file system, not in a volume")
			COL(hidden);
	g_walltime ctime DOC("When the program's inode was last changed") COL(hidden);
	g_walltime pctime DOC("The same of the parent process's program") COL(hidden);
	g_walltime fctime DOC(
		"The same of the file that was executed: of a script the script's, where "
		"exepath, ctime … tell of its interpreter. Empty, as all of the file, "
		"where it could not be opened, or the call closed a thousand files") COL(hidden);
	g_bool fupper_layer DOC("The executed file was added or changed in the container")
		COL(hidden);
	g_bool file_from_rootfs
		DOC("The executed file lies in the container's root file system, not in a volume")
			COL(hidden);
};
TRACER(exec, exec_event, ARGS_MAX + 3 * FILE_MAX + PARENT_PATH_MAX);

/* Where a failed execution's arguments lie. */
struct exec_call {
	g_container container;
	const char *file;
	__u64 argv;
};
PENDING(calls, exec_call);

/* On overlayfs: is the file in the layer that the container writes to? */
static __always_inline bool in_upper_layer(struct inode *inode)
{
	struct ovl_inode *ovl;
	void *upper = NULL;

	if (BPF_CORE_READ(inode, i_sb, s_magic) != OVERLAYFS_SUPER_MAGIC)
		return false;
	if (bpf_core_type_exists(struct ovl_inode)) {
		ovl = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
		upper = BPF_CORE_READ(ovl, __upperdentry);
	} else { /* overlayfs is a module */
		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + bpf_core_type_size(struct inode));
	}
	return upper;
}

static __always_inline g_walltime ctime_of(const struct inode *inode)
{
	const struct inode___6_10 *until_6_10 = (const void *)inode;
	const struct inode___6_5 *until_6_5 = (const void *)inode;
	__s64 s, ns;

	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		s = BPF_CORE_READ(inode, i_ctime_sec);
		ns = BPF_CORE_READ(inode, i_ctime_nsec) & ~I_CTIME_QUERIED;
	} else if (bpf_core_field_exists(until_6_10->__i_ctime)) {
		s = BPF_CORE_READ(until_6_10, __i_ctime.tv_sec);
		ns = BPF_CORE_READ(until_6_10, __i_ctime.tv_nsec);
	} else {
		s = BPF_CORE_READ(until_6_5, i_ctime.tv_sec);
		ns = BPF_CORE_READ(until_6_5, i_ctime.tv_nsec);
	}
	return s * 1000000000 + ns;
}

static __always_inline bool in_rootfs(const struct file *file, struct task_struct *task)
{
	return BPF_CORE_READ(file, f_path.mnt) == BPF_CORE_READ(task, fs, root.mnt);
}

/* Where in a struct file the entry lies by which it waits for its end. */
static __always_inline __u64 place_of_work(void)
{
	struct file___6_4 *until_6_4 = NULL;
	struct file *file = NULL;

	if (bpf_core_field_exists(file->f_task_work))
		return bpf_core_field_offset(struct file, f_task_work);
	if (bpf_core_field_exists(until_6_4->f_rcuhead))
		return bpf_core_field_offset(struct file___6_4, f_rcuhead);
	return bpf_core_field_offset(struct file___5_19, f_u.fu_rcuhead);
}

/* The file, opened to be executed, that is let go by `work`; 0: it is other work. */
static __always_inline __u64 executable_of(const struct callback_head *work)
{
	struct file *file = (void *)work - place_of_work();
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if (!(BPF_CORE_READ(file, f_flags) & __FMODE_EXEC) || !inode ||
	    BPF_CORE_READ(file, f_path.dentry, d_inode) != inode)
		return 0;
	return (__u64)file;
}

/*
 * Of the WORKS entries from `first` on the oldest such file, and the entry behind them. Global
 * functions, which the verifier sees once: a plain loop over all would cost it 40 ms.
 */
__noinline __u64 oldest_executable(__u64 first)
{
	const struct callback_head *work = (const void *)first;
	__u64 found = 0, file;

	for (unsigned long i = 0; i < WORKS && work; i++) {
		file = executable_of(work);
		if (file)
			found = file;
		work = BPF_CORE_READ(work, next);
	}
	return found;
}

__noinline __u64 behind_works(__u64 first)
{
	const struct callback_head *work = (const void *)first;

	for (unsigned long i = 0; i < WORKS && work; i++)
		work = BPF_CORE_READ(work, next);
	return (__u64)work;
}

/*
 * The file that the call named, where the kernel is done with it: a script, or what could not be
 * executed. No hook tells it, but for kprobes. But files end late: put on the task's list of what
 * is to be done before it returns to user space, newest first. There it is the oldest one that was
 * opened to be executed, before interpreters, files that are closed on exec and the old program.
 * 0: not found.
 */
__noinline __u64 let_go(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 work = (__u64)BPF_CORE_READ(task, task_works), found = 0, file;

	for (unsigned long i = 0; i < WORKS && work; i++) {
		file = oldest_executable(work);
		if (file)
			found = file;
		work = behind_works(work);
	}
	return work ? 0 : found;
}

static __always_inline void fill_file(struct exec_event *e, const struct file *file,
				      struct task_struct *task)
{
	struct inode *inode;

	if (!file)
		return;
	inode = BPF_CORE_READ(file, f_inode);
	e->fctime = ctime_of(inode);
	e->fupper_layer = in_upper_layer(inode);
	e->file_from_rootfs = in_rootfs(file, task);
}

static __always_inline void fill_common(struct exec_event *e, struct task_struct *task)
{
	process_fill(&e->proc);
	e->tty = tty_number(BPF_CORE_READ(task, signal, tty));
	e->loginuid = e->sessionid = -1;
	if (bpf_core_field_exists(task->loginuid)) { /* needs CONFIG_AUDIT */
		e->loginuid = BPF_CORE_READ(task, loginuid.val);
		e->sessionid = BPF_CORE_READ(task, sessionid);
	}
	text_path(exec, e, cwd, &BPF_CORE_READ(task, fs)->pwd, FILE_MAX);
}

static __always_inline void fill_parent(struct exec_event *e, struct task_struct *task)
{
	struct file *exe = BPF_CORE_READ(task, real_parent, mm, exe_file);

	if (exe) {
		e->pctime = ctime_of(BPF_CORE_READ(exe, f_inode));
		e->pupper_layer = in_upper_layer(BPF_CORE_READ(exe, f_inode));
		text_path(exec, e, parent_exepath, &exe->f_path, PARENT_PATH_MAX);
	}
}

static __always_inline const struct file *executed_file(struct linux_binprm *bprm,
							const struct file *exe)
{
	const struct file *kept =
		BPF_CORE_READ(bprm, executable); /* for binfmt_misc's interpreters */

	if (BPF_CORE_READ(bprm, interp) == BPF_CORE_READ(bprm, filename)) /* there was none */
		return exe;
	return kept ?: (const struct file *)let_go();
}

/* args: the task, its old thread id, struct linux_binprm */
SEC("raw_tp/sched_process_exec")
int executed(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct mm_struct *mm;
	struct exec_event *e;
	struct inode *inode;
	struct file *exe;
	unsigned long start;
	g_container c;

	if (!wanted(&c))
		return 0;
	e = record_begin(exec, c);
	if (!e)
		return 0;
	mm = BPF_CORE_READ(task, mm);
	start = BPF_CORE_READ(mm, arg_start);
	e->args_size = BPF_CORE_READ(mm, arg_end) - start;
	e->args_count = BPF_CORE_READ(bprm, argc);
	text_user_bytes(exec, e, args, (const void *)start, e->args_size, ARGS_MAX);
	text_kernel(exec, e, file, BPF_CORE_READ(bprm, filename), FILE_MAX);
	fill_common(e, task);
	exe = BPF_CORE_READ(mm, exe_file);
	if (exe) {
		inode = BPF_CORE_READ(exe, f_inode);
		e->inode = BPF_CORE_READ(inode, i_ino);
		e->dev = BPF_CORE_READ(inode, i_sb, s_dev);
		e->upper_layer = in_upper_layer(inode);
		e->from_rootfs = in_rootfs(exe, task);
		e->ctime = ctime_of(inode);
		text_path(exec, e, exepath, &exe->f_path, FILE_MAX);
	}
	fill_file(e, executed_file(bprm, exe), task);
	fill_parent(e, task);
	record_submit(exec, e);
	return 0;
}

static __always_inline int enter(const void *file, __u64 argv)
{
	struct exec_call *call;
	g_container c;

	if (ignore_failed || !wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->file = file;
	call->argv = argv;
	return 0;
}

/*
 * One argument more of a failed execution into the record that is being made; 0: there are no more.
 * A global function, so that the verifier sees it once and not for each argument.
 */
__noinline int add_argument(__u64 argv)
{
	const char *arg = NULL;
	struct exec_scratch *s;
	struct exec_event *e;
	__u32 zero = 0;
	__u64 used;
	long n;

	s = bpf_map_lookup_elem(&exec_scratches, &zero);
	if (!s)
		return 0;
	e = &s->record;
	if (bpf_probe_read_user(&arg, sizeof(arg), (const char **)argv + e->args_count) || !arg)
		return 0;
	e->args_count++;
	used = s->used;
	barrier_var(used);
	if (used >= ARGS_MAX || e->args_count > FAILED_ARGS) {
		e->args.length = G_TRUNCATED;
		return 0;
	}
	n = bpf_probe_read_user_str(s->tail + used, FAILED_ARG_MAX, arg);
	/* Where the call failed early nobody has read the arguments: their page may be missing. */
	if (n == FAILED_ARG_MAX || n < 0)
		e->args.length = G_TRUNCATED;
	if (n > 0)
		s->used = used + n;
	return 1;
}

/* They stand at the beginning of the tail. */
static __always_inline void fill_failed_args(struct exec_event *e, __u64 argv)
{
	struct exec_scratch *s = g_scratch_of(exec, e);

	for (unsigned long i = 0; i <= FAILED_ARGS; i++)
		if (!add_argument(argv))
			break;
	e->args_size = s->used;
	if (s->used > ARGS_MAX) {
		s->used = ARGS_MAX;
		e->args.length = G_TRUNCATED;
	}
	e->args.offset = sizeof(*e);
	e->args.length |= s->used;
}

static __noinline int leave(__s64 ret)
{
	struct exec_call *call = pending_end(calls);
	struct task_struct *task;
	struct exec_event *e;

	if (!call || ret >= 0)
		return 0;
	e = record_begin(exec, call->container);
	if (!e)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	e->error = -ret;
	fill_failed_args(e, call->argv);
	text_user(exec, e, file, call->file, FILE_MAX);
	fill_common(e, task);
	fill_parent(e, task);
	fill_file(e, (const struct file *)let_go(), task);
	record_submit(exec, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_execve")
int enter_execve(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[0], ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_execve")
int exit_execve(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_execveat")
int enter_execveat(struct syscall_enter *ctx)
{
	return enter((const void *)ctx->args[1], ctx->args[2]);
}

SEC("tp/syscalls/sys_exit_execveat")
int exit_execveat(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}
