// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Calls that make or join namespaces. What setns() joins is found when it begins; what a process or
 * its new child has is looked at when that has happened.
 */
#include <gadget/gadget.bpf.h>

GADGET("Trace processes that make or join namespaces\n"
       "Shows each unshare and setns, and each clone and clone3 with namespaces, with its flags by "
       "name, the namespace that setns joins, the child that clone made, and the error. The fields "
       "ns.… tell the namespaces after the call: of clone those of the child.",
       LIMITS("A runtime makes a container's namespaces before the container is known: those calls "
	      "are the host's, seen with --host.")
	       SELFTEST("unshare -u true", "operation==unshare,flags==CLONE_NEWUTS"));

PARAM(bool, failed, false, "Show only calls that failed");

enum ns_operation { unshare, setns, clone, clone3 };

/* uapi/linux/sched.h */
enum clone_flag_set {
	CLONE_NEWTIME = 0x80,
	CLONE_VM = 0x100,
	CLONE_FS = 0x200,
	CLONE_FILES = 0x400,
	CLONE_SIGHAND = 0x800,
	CLONE_PIDFD = 0x1000,
	CLONE_PTRACE = 0x2000,
	CLONE_VFORK = 0x4000,
	CLONE_PARENT = 0x8000,
	CLONE_THREAD = 0x10000,
	CLONE_NEWNS = 0x20000,
	CLONE_SYSVSEM = 0x40000,
	CLONE_SETTLS = 0x80000,
	CLONE_PARENT_SETTID = 0x100000,
	CLONE_CHILD_CLEARTID = 0x200000,
	CLONE_UNTRACED = 0x800000,
	CLONE_CHILD_SETTID = 0x1000000,
	CLONE_NEWCGROUP = 0x2000000,
	CLONE_NEWUTS = 0x4000000,
	CLONE_NEWIPC = 0x8000000,
	CLONE_NEWUSER = 0x10000000,
	CLONE_NEWPID = 0x20000000,
	CLONE_NEWNET = 0x40000000,
};

enum {
	NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		     CLONE_NEWPID | CLONE_NEWNET,
	CSIGNAL = 0xff, /* clone's lowest bits are the signal that the child ends with */
};

struct namespaces {
	g_mntns mnt DOC("Mount namespace") COL(hidden);
	g_pidns pid DOC("Pid namespace: of the thread's next children") COL(hidden);
	g_netns net DOC("Network namespace") COL(hidden);
	__u32 user DOC("User namespace") COL(hidden);
	__u32 uts DOC("Namespace of host names") COL(hidden);
	__u32 ipc DOC("Namespace of System V objects and message queues") COL(hidden);
	__u32 cgroup DOC("Cgroup namespace") COL(hidden);
	__u32 time DOC("Namespace of clocks: of the thread's next children; 0: there are none")
		COL(hidden, skip-empty);
};

struct unshare_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum ns_operation operation DOC("Call") COL(width=9);
	g_errno error DOC("Why it failed") COL(width=8);
	enum clone_flag_set flags DOC("Flags; of setns the kinds of namespace that it joins")
		COL(width=48);
	__u32 target_ns DOC("Namespace that setns joins, its inode; of several none")
		COL(width=10, skip-empty);
	g_pid child DOC("Process that clone made") COL(width=7, skip-empty);
	g_pid target_pid DOC("Process whose namespaces setns joins, where it names one")
		COL(hidden, skip-empty);
	g_fd fd DOC("Descriptor that setns was given; -1: none") COL(hidden);
	struct namespaces ns;
};
TRACER(namespaces, unshare_event, 0);

struct unshare_call {
	g_container container;
	__u32 operation;
	__u32 flags;
	__u32 target_ns, target_pid, child;
	g_fd fd;
	struct namespaces ns; /* the child's */
};
PENDING(calls, unshare_call);

/* ---- kernel types -----------------------------------------------------------------------------
 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ipc_namespace {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};
struct time_namespace {
	struct ns_common ns;
};
struct nsproxy___all {
	struct ipc_namespace *ipc_ns;
	struct cgroup_namespace *cgroup_ns;
	struct time_namespace *time_ns_for_children; /* since 5.6, where it is built in */
};
struct proc_ns_operations {
	int type;
};
struct ns_common___6_17 {
	const struct proc_ns_operations *ops;
};
struct ns_common___6_18 {
	__u32 ns_type;
};
struct inode___private {
	void *i_private;
};
#pragma clang attribute pop

enum { NSFS_MAGIC = 0x6e736673, PID_FS_MAGIC = 0x50494446 };

/* ---- namespaces -------------------------------------------------------------------------------
 */

static __always_inline void look_at(struct namespaces *ns, const struct task_struct *task)
{
	const struct nsproxy *own = BPF_CORE_READ(task, nsproxy);
	const struct nsproxy___all *more = (const void *)own;

	ns->mnt = BPF_CORE_READ(own, mnt_ns, ns.inum);
	ns->pid = BPF_CORE_READ(own, pid_ns_for_children, ns.inum);
	ns->net = BPF_CORE_READ(own, net_ns, ns.inum);
	ns->uts = BPF_CORE_READ(own, uts_ns, ns.inum);
	ns->ipc = BPF_CORE_READ(more, ipc_ns, ns.inum);
	ns->cgroup = BPF_CORE_READ(more, cgroup_ns, ns.inum);
	if (bpf_core_field_exists(more->time_ns_for_children))
		ns->time = BPF_CORE_READ(more, time_ns_for_children, ns.inum);
	ns->user = BPF_CORE_READ(task, cred, user_ns, ns.inum);
}

static __always_inline __u32 kind_of(const void *ns)
{
	const struct ns_common___6_18 *now = ns;
	const struct ns_common___6_17 *until_6_17 = ns;

	if (bpf_core_field_exists(now->ns_type))
		return BPF_CORE_READ(now, ns_type);
	return BPF_CORE_READ(until_6_17, ops, type);
}

/* Before 6.9 a pidfd is a file of no file system of its own, known by its name. */
static __always_inline bool is_old_pidfd(const struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char text[8] = {};

	bpf_probe_read_kernel_str(text, sizeof(text), name);
	return *(__u64 *)text == *(const __u64 *)"[pidfd]";
}

/* What setns() is given: a namespace's file, or a descriptor of a process. */
static __always_inline void find_target(struct unshare_call *call)
{
	struct file *file = file_of_fd(call->fd);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	const struct inode___private *private = (const void *)inode;
	void *object = BPF_CORE_READ(private, i_private);
	unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
	struct pid *pid = NULL;

	if (magic == NSFS_MAGIC) {
		call->target_ns = BPF_CORE_READ(inode, i_ino);
		if (!call->flags)
			call->flags = kind_of(object);
	} else if (magic == PID_FS_MAGIC) {
		pid = object;
	} else if (is_old_pidfd(file)) {
		pid = BPF_CORE_READ(file, private_data);
	}
	if (pid)
		call->target_pid = BPF_CORE_READ(pid, numbers[0].nr);
}

/* ---- the calls --------------------------------------------------------------------------------
 */

static __always_inline int enter(__u32 operation, __u32 flags, g_fd fd)
{
	struct unshare_call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	__builtin_memset(call, 0, sizeof(*call));
	call->container = c;
	call->operation = operation;
	call->flags = flags;
	call->fd = fd;
	if (operation == setns)
		find_target(call);
	return 0;
}

static __always_inline int leave(__s64 ret)
{
	struct unshare_call *call = pending_end(calls);
	struct unshare_event *e;

	if (!call || (failed && ret >= 0))
		return 0;
	e = record_begin(namespaces, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = call->operation;
	e->error = ret < 0 ? -ret : 0;
	e->flags = call->flags;
	e->target_ns = call->target_ns;
	e->target_pid = call->target_pid;
	e->child = call->child;
	e->fd = call->fd;
	if (call->child)
		e->ns = call->ns;
	else
		look_at(&e->ns, (struct task_struct *)bpf_get_current_task());
	record_submit(namespaces, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_unshare")
int enter_unshare(struct syscall_enter *ctx)
{
	return enter(unshare, ctx->args[0], -1);
}

SEC("tp/syscalls/sys_exit_unshare")
int exit_unshare(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_setns")
int enter_setns(struct syscall_enter *ctx)
{
	return enter(setns, ctx->args[1], ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_setns")
int exit_setns(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_clone")
int enter_clone(struct syscall_enter *ctx)
{
	__u32 flags = ctx->args[0] & ~(__u64)CSIGNAL;

	return flags & NAMESPACES ? enter(clone, flags, -1) : 0;
}

SEC("tp/syscalls/sys_exit_clone")
int exit_clone(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_clone3")
int enter_clone3(struct syscall_enter *ctx)
{
	__u64 flags = 0; /* the first of struct clone_args */

	bpf_probe_read_user(&flags, sizeof(flags), (const void *)ctx->args[0]);
	return flags & (NAMESPACES | CLONE_NEWTIME) ? enter(clone3, flags, -1) : 0;
}

SEC("tp/syscalls/sys_exit_clone3")
int exit_clone3(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

/* Within clone. args: parent, child */
SEC("raw_tp/sched_process_fork")
int forked(struct bpf_raw_tracepoint_args *ctx)
{
	struct unshare_call *call = pending_peek(calls);
	const struct task_struct *child = (const void *)ctx->args[1];

	if (!call)
		return 0;
	call->child = BPF_CORE_READ(child, pid);
	look_at(&call->ns, child);
	return 0;
}
