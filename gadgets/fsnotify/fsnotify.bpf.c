// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Notifications of file systems: who watches, who touches what is watched. An event is queued by
 * the process that touches the file and taken from the queue by the one that watches. With kprobes
 * both are seen, and the kernel's own event; else what the watcher reads.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/notify_names.h>
#include <gadget/path.bpf.h>
#include <gadget/syscall.bpf.h>
#include <gadget/user_text.bpf.h>
#include <gadget/task_of_pid.bpf.h>

GADGET("Trace inotify and fanotify: watches, events, answers\n"
       "Shows what processes watch (inotify_add_watch, fanotify_mark), each event that they get, "
       "and "
       "how they answer fanotify's questions. `tracer` is the process that watches, `tracee` the "
       "one that touched the file. A record belongs to the container of the one or the other; "
       "between two wanted containers it is a record of each, and the field `side` says which it "
       "is.",
       LIMITS("An event is shown when it is read by the call read; one that is never read, or read "
	      "by io_uring, is not. Files of fanotify events that tell file handles "
	      "(FAN_REPORT_FID) are not named.")
	       SELFTEST("perl -e '$x = `uname -m` =~ /x86/; $f = syscall($x ? 294 : 26, 0); "
			"$p = qq(/etc/passwd\\0); syscall($x ? 254 : 27, $f, $p, 32)'",
			"operation==watch,name==/etc/passwd"));

PARAM(bool, inotify_only, false, "Show only inotify");
PARAM(bool, fanotify_only, false, "Show only fanotify");
PARAM(g_pid, tracer_pid, 0, "Show only what this process watches");
PARAM(g_pid, tracee_pid, 0, "Show only events that this process caused");

enum notify_type { inotify, fanotify };
enum notify_operation { event, watch, unwatch, answer };
enum notify_side { tracer, tracee, both };

struct notify_event {
	g_time timestamp;
	g_container container;
	enum notify_type type DOC("inotify or fanotify") COL(width=8);
	enum notify_operation operation DOC("event, watch, unwatch or answer") COL(width=9);
	struct g_process tracer DOC("The process that watches");
	struct g_process tracee DOC("The process that touched the file; empty: not known");
	enum inotify_mask_set i_mask DOC("Events of inotify, and flags of the watch")
		COL(width=24, skip-empty);
	enum fanotify_mask_set fa_mask DOC("Events of fanotify") COL(width=24, skip-empty);
	enum fanotify_response_set fa_response DOC("Answer to a question of fanotify's")
		COL(width=9, skip-empty);
	g_errno error DOC("Why a watch or answer failed") COL(width=8);
	g_text name DOC("Of inotify's events the name in the watched folder; else the file's path")
		COL(width=32, ellipsis=start);
	enum notify_side side DOC("What the record's container was: the tracer's, the tracee's, or "
				  "both") COL(hidden);
	g_fd fd DOC("Descriptor of the watcher's queue") COL(hidden);
	g_fd fa_fd DOC("Descriptor of the file, which fanotify gives; -1: none, or not known")
		COL(hidden);
	__s32 i_wd DOC("Number of inotify's watch; -1: of none") COL(hidden);
	__u32 i_cookie DOC("Of inotify: the same for both ends of a rename")
		COL(hidden, skip-empty);
	g_inode i_ino DOC("Of inotify: inode of the file that was touched") COL(hidden, skip-empty);
	g_inode i_ino_dir DOC("Of inotify: inode of its folder, where that is watched")
		COL(hidden, skip-empty);
	enum fanotify_flag_set fa_flags DOC("Flags of fanotify_mark") COL(hidden, skip-empty);
	g_container_name tracer_container DOC(
		"Name of the tracer's container, of a pod's with namespace and pod; empty: the "
		"host, or not known") COL(hidden);
	g_container_name tracee_container DOC("The same of the tracee") COL(hidden);
};
TRACER(notify, notify_event, 4096 + 2 * sizeof(g_cgroup));

/* ---- whose is it? ------------------------------------------------------------------------------
 */

/* Who touched a file. */
struct toucher {
	struct g_process process;
	g_cgroup cgroup; /* 0: nobody is known */
	g_container container;
	bool is_wanted;
	g_inode ino, ino_dir;
};

static __always_inline bool asked_for(__u32 type, __u32 by)
{
	return !(inotify_only && type != inotify) && !(fanotify_only && type != fanotify) &&
	       (!tracer_pid || tracer_pid == by);
}

/* Of the current process, which watches. */
static __always_inline struct notify_event *begin(g_container c, __u32 type, __u32 operation,
						  int fd)
{
	struct notify_event *e = record_begin(notify, c);

	if (!e)
		return NULL;
	e->type = type;
	e->operation = operation;
	e->fd = fd;
	e->fa_fd = e->i_wd = -1;
	process_fill(&e->tracer);
	text_container(notify, e, tracer_container, bpf_get_current_cgroup_id());
	return e;
}

static __always_inline void fill_toucher(struct notify_event *e, const struct toucher *by)
{
	e->tracee = by->process;
	e->i_ino = by->ino;
	e->i_ino_dir = by->ino_dir;
	text_container(notify, e, tracee_container, by->cgroup);
}

/* A record for each wanted container; `by`: NULL where nobody has touched anything. */
static __always_inline void put_out(struct notify_event *e, bool tracer_wanted,
				    const struct toucher *by)
{
	bool tracee_wanted = by && by->is_wanted;
	bool same = tracer_wanted && tracee_wanted && by->container == e->container;

	if (tracee_pid && e->tracee.pid != tracee_pid)
		return;
	if (tracer_wanted) {
		e->side = same ? both : tracer;
		record_submit(notify, e);
	}
	if (tracee_wanted && !same) {
		e->container = by->container;
		e->side = tracee;
		record_submit(notify, e);
	}
}

/* ---- queues: files without a name of a file system's --------------------------------------------
 */


/* A queue's type by its name, as in /proc/PID/fd; -1: it is another kind of file. */
static __always_inline int queue_type(const struct file *file)
{
	const unsigned char *name;
	__u64 word = 0;

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return -1;
	name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(&word, sizeof(word), name);
	if (word == *(const __u64 *)"inotify")
		return inotify;
	return word == *(const __u64 *)"[fanoti" ? fanotify : -1;
}

/* ---- watches ------------------------------------------------------------------------------------
 */

struct watch_call {
	g_container container;
	__u32 type, operation;
	g_fd fd;
	__u32 mask, flags;
	__s32 wd;
	struct user_text path;
};
PENDING(watch_calls, watch_call);

static __always_inline struct watch_call *watch_begins(__u32 type, __u32 operation, int fd)
{
	struct watch_call *call;
	g_container c;

	/* Of a watch it is not known who will touch the file. */
	if (tracee_pid || !asked_for(type, bpf_get_current_pid_tgid() >> 32) || !wanted(&c))
		return NULL;
	call = pending_begin(watch_calls, c);
	if (!call)
		return NULL;
	call->container = c;
	call->type = type;
	call->operation = operation;
	call->fd = fd;
	call->mask = call->flags = 0;
	call->wd = -1;
	user_text_none(&call->path);
	return call;
}

static __noinline int watch_ends(__s64 ret)
{
	struct watch_call *call = pending_end(watch_calls);
	struct notify_event *e;

	if (!call)
		return 0;
	e = begin(call->container, call->type, call->operation, call->fd);
	if (!e)
		return 0;
	e->error = ret < 0 ? -ret : 0;
	e->fa_flags = call->flags;
	if (call->type == inotify) {
		e->i_mask = call->mask;
		e->i_wd = call->operation == watch && ret >= 0 ? ret : call->wd;
	} else {
		e->fa_mask = call->mask;
	}
	text_user_taken(notify, e, name, &call->path, 4096);
	put_out(e, true, NULL);
	return 0;
}

SEC("tp/syscalls/sys_enter_inotify_add_watch")
int enter_add_watch(struct syscall_enter *ctx)
{
	struct watch_call *call = watch_begins(inotify, watch, ctx->args[0]);

	if (!call)
		return 0;
	call->mask = ctx->args[2];
	user_text_take(&call->path, (const void *)ctx->args[1]);
	return 0;
}

SEC("tp/syscalls/sys_exit_inotify_add_watch")
int exit_add_watch(struct syscall_exit *ctx)
{
	return watch_ends(ctx->ret);
}

SEC("tp/syscalls/sys_enter_inotify_rm_watch")
int enter_rm_watch(struct syscall_enter *ctx)
{
	struct watch_call *call = watch_begins(inotify, unwatch, ctx->args[0]);

	if (call)
		call->wd = ctx->args[1];
	return 0;
}

SEC("tp/syscalls/sys_exit_inotify_rm_watch")
int exit_rm_watch(struct syscall_exit *ctx)
{
	return watch_ends(ctx->ret);
}

SEC("tp/syscalls/sys_enter_fanotify_mark")
OPTIONAL CANNOT_TELL("fanotify, which this kernel is built without") int enter_mark(
	struct syscall_enter *ctx)
{
	__u32 flags = ctx->args[1];
	struct watch_call *call =
		watch_begins(fanotify, flags & FAN_MARK_ADD ? watch : unwatch, ctx->args[0]);

	if (!call)
		return 0;
	call->flags = flags;
	call->mask = ctx->args[2];
	if (ctx->args[4])
		user_text_take(&call->path, (const void *)ctx->args[4]);
	return 0;
}

SEC("tp/syscalls/sys_exit_fanotify_mark")
OPTIONAL int exit_mark(struct syscall_exit *ctx)
{
	return watch_ends(ctx->ret);
}

/* ---- answers ------------------------------------------------------------------------------------
 */

struct answer_data {
	__s32 fd;
	__u32 response;
};
enum { MAX_ANSWER = 64 }; /* more than it takes with what may follow it */

/* The call's arguments are still in the registers that it entered with. */
SEC("tp/syscalls/sys_exit_write")
int exit_write(struct syscall_exit *ctx)
{
	struct answer_data data = {};
	const struct pt_regs *regs;
	struct notify_event *e;
	struct file *file;
	g_container c;
	int fd;

	if (ctx->ret > MAX_ANSWER || inotify_only || tracee_pid || !wanted(&c))
		return 0;
	regs = registers_at_entry();
	fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
	if (queue_type(file_of_fd(fd)) != fanotify ||
	    !asked_for(fanotify, bpf_get_current_pid_tgid() >> 32))
		return 0;
	e = begin(c, fanotify, answer, fd);
	if (!e)
		return 0;
	bpf_probe_read_user(&data, sizeof(data), (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs));
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	e->fa_response = data.response;
	e->fa_fd = data.fd;
	file = file_of_fd(e->fa_fd);
	if (file)
		text_path(notify, e, name, &file->f_path, 4096);
	put_out(e, true, NULL);
	return 0;
}

/* ---- rung 1: events as the kernel queues them
 * ---------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inotify_event_info {
	__u32 mask;
	int wd;
	__u32 sync_cookie;
	int name_len;
	char name[1];
};
enum fanotify_event_type { FANOTIFY_EVENT_TYPE_PATH = 2, FANOTIFY_EVENT_TYPE_PATH_PERM };
struct fanotify_event {
	__u32 mask;
	__u32 type : 3;
};
struct fanotify_path_event {
	struct path path;
};
struct fanotify_perm_event {
	struct path path;
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* for a queue that is never read or closed */
	__uint(max_entries, 65536);
	__type(key, __u64); /* struct fsnotify_event * */
	__type(value, struct toucher);
} queued SEC(".maps");

/* What an event is about, on the way to its queue. */
struct inodes {
	g_inode ino, ino_dir;
};
PENDING(handled, inodes);

/* By the process that touches the file. */
static __always_inline int queue(__u64 event)
{
	struct toucher by = {};
	struct inodes *inodes = pending_end(handled);

	by.is_wanted = wanted(&by.container);
	by.cgroup = bpf_get_current_cgroup_id();
	process_fill(&by.process);
	if (inodes) {
		by.ino = inodes->ino;
		by.ino_dir = inodes->ino_dir;
	}
	bpf_map_update_elem(&queued, &event, &by, BPF_ANY);
	return 0;
}

/* The kernel has more bits in its masks than it tells. */
enum { TOLD_BY_INOTIFY = 0x4000ffff, NOT_TOLD_BY_FANOTIFY = FAN_EVENT_ON_CHILD };

static __always_inline void fill_inotify(struct notify_event *e,
					 const struct inotify_event_info *info)
{
	e->i_mask = BPF_CORE_READ(info, mask) & TOLD_BY_INOTIFY;
	e->i_wd = BPF_CORE_READ(info, wd);
	e->i_cookie = BPF_CORE_READ(info, sync_cookie);
	if (BPF_CORE_READ(info, name_len))
		text_kernel(notify, e, name, &info->name, 256);
}

static __always_inline void fill_fanotify(struct notify_event *e, const struct fanotify_event *info)
{
	const struct fanotify_path_event *plain = (const void *)info;
	const struct fanotify_perm_event *question = (const void *)info;
	__u32 type = BPF_CORE_READ_BITFIELD_PROBED(info, type);
	const struct path *path = NULL;

	e->fa_mask = BPF_CORE_READ(info, mask) & ~NOT_TOLD_BY_FANOTIFY;
	if (type == bpf_core_enum_value(enum fanotify_event_type, FANOTIFY_EVENT_TYPE_PATH))
		path = &plain->path;
	else if (type ==
		 bpf_core_enum_value(enum fanotify_event_type, FANOTIFY_EVENT_TYPE_PATH_PERM))
		path = &question->path;
	if (path)
		text_path(notify, e, name, path, 4096);
}

#if defined(__TARGET_ARCH_x86)
enum { NR_read = 0 };
#else
enum { NR_read = 63 };
#endif

static __always_inline void take_toucher(__u64 event, struct toucher *ret)
{
	const struct toucher *by = bpf_map_lookup_elem(&queued, &event);

	if (!by)
		return;
	*ret = *by;
	bpf_map_delete_elem(&queued, &event);
}

/* By the process that watches, within read; a queue is emptied when it is closed as well. */
static __noinline int dequeue(__u64 event)
{
	const struct pt_regs *regs = registers_at_entry();
	struct notify_event *e;
	struct toucher by = {};
	g_container c = 0;
	bool tracer_wanted;
	int type, fd;

	if (!event)
		return 0;
	take_toucher(event, &by);
	if (syscall_of_current() != syscall_current(NR_read))
		return 0;
	fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
	type = queue_type(file_of_fd(fd));
	if (type < 0 || !asked_for(type, bpf_get_current_pid_tgid() >> 32))
		return 0;
	tracer_wanted = wanted(&c);
	if (!tracer_wanted && !by.is_wanted)
		return 0;
	e = begin(c, type, 0, fd);
	if (!e)
		return 0;
	if (by.cgroup)
		fill_toucher(e, &by);
	if (type == inotify)
		fill_inotify(e, (const void *)event);
	else
		fill_fanotify(e, (const void *)event);
	put_out(e, tracer_wanted, &by);
	return 0;
}

SEC("kprobe/fsnotify_insert_event") /* since 5.16 */
RUNG(events, 1)
CANNOT_TELL("the descriptor that fanotify gives for a file (fa_fd)")
int BPF_KPROBE(inserted, void *group, void *event)
{
	return queue((__u64)event);
}

SEC("kretprobe/fsnotify_remove_first_event")
RUNG(events, 1) int BPF_KRETPROBE(removed, void *event)
{
	return dequeue((__u64)event);
}

SEC("kprobe/fsnotify_add_event")
RUNG(events, 2)
CANNOT_TELL("the descriptor that fanotify gives for a file (fa_fd)")
int BPF_KPROBE(added, void *group, void *event)
{
	return queue((__u64)event);
}

SEC("kretprobe/fsnotify_remove_first_event")
RUNG(events, 2) int BPF_KRETPROBE(removed_5_15, void *event)
{
	return dequeue((__u64)event);
}

SEC("kprobe/inotify_handle_inode_event") /* since 5.11 */
OPTIONAL CANNOT_TELL("inodes of inotify's events (i_ino, i_ino_dir)") int BPF_KPROBE(
	handle, void *mark, __u32 mask, struct inode *inode, struct inode *dir)
{
	struct inodes *inodes = handled_begin(); /* there is no container to count a loss for */

	if (!inodes)
		return 0;
	inodes->ino = BPF_CORE_READ(inode, i_ino);
	inodes->ino_dir = BPF_CORE_READ(dir, i_ino);
	return 0;
}

/* ---- rung 3: events as they are read ------------------------------------------------------------
 */

/* How far what a read gave has been looked at. */
struct walk {
	g_container container;
	g_fd fd;
	__u32 type;
	__u64 at, end;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

static __always_inline struct walk *walk_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

/* As uapi/linux/inotify.h and fanotify.h have them. */
struct inotify_data {
	__s32 wd;
	__u32 mask, cookie, length;
	char name[];
};
struct fanotify_data {
	__u32 length;
	__u8 version, reserved;
	__u16 metadata_length;
	__u64 mask;
	__s32 fd, pid;
};

enum { MAX_EVENTS = 1024 };

/* Returns the event's length; 0: it is none. */
static __always_inline __u64 read_inotify(struct notify_event *e, __u64 at)
{
	const struct inotify_data *from = (const void *)at;
	struct inotify_data data = {};

	if (bpf_probe_read_user(&data, sizeof(data), from))
		return 0;
	e->i_wd = data.wd;
	e->i_mask = data.mask;
	e->i_cookie = data.cookie;
	if (data.length)
		text_user(notify, e, name, from->name, 256);
	return sizeof(data) + data.length;
}

/* The kernel tells the process's id in the reader's pid namespace; the process may be gone. */
static __always_inline __u64 read_fanotify(struct notify_event *e, __u64 at, struct toucher *by)
{
	struct fanotify_data data = {};
	struct task_struct *task;
	struct file *file;

	if (bpf_probe_read_user(&data, sizeof(data), (const void *)at))
		return 0;
	e->fa_mask = data.mask;
	e->fa_fd = data.fd;
	task = task_of_pid(data.pid);
	if (task) {
		by->is_wanted = wanted_task(task, &by->container);
		by->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
		process_fill_task(&by->process, task);
		fill_toucher(e, by);
	}
	file = data.fd >= 0 ? file_of_fd(data.fd) : NULL;
	if (file)
		text_path(notify, e, name, &file->f_path, 4096);
	return data.length;
}

/* False: that was all. Verified once and by itself, so that there can be many. */
__noinline int next_event(void)
{
	struct walk *w = walk_now();
	struct toucher by = {};
	struct notify_event *e;
	__u64 length;

	if (!w || w->at >= w->end)
		return false;
	e = begin(w->container, w->type, event, w->fd);
	if (!e)
		return false;
	length = w->type == inotify ? read_inotify(e, w->at) : read_fanotify(e, w->at, &by);
	if (!length)
		return false;
	w->at += length;
	put_out(e, true, &by);
	return true;
}

static __always_inline void look_through(struct walk *w)
{
	int more = true;

	for (int i = 0; i < MAX_EVENTS && more; i++)
		more = next_event();
	if (more)
		record_lost(w->container);
}

SEC("tp/syscalls/sys_exit_read")
RUNG(events, 3)
CANNOT_TELL("who touched a file that inotify watches (tracee), and watchers outside of the wanted "
	    "containers")
int exit_read(struct syscall_exit *ctx)
{
	const struct pt_regs *regs;
	struct walk *w;
	g_container c;
	int type, fd;

	if (ctx->ret <= 0 || !wanted(&c))
		return 0;
	regs = registers_at_entry();
	fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
	type = queue_type(file_of_fd(fd));
	w = walk_now();
	if (!w || type < 0 || !asked_for(type, bpf_get_current_pid_tgid() >> 32))
		return 0;
	w->container = c;
	w->fd = fd;
	w->type = type;
	w->at = PT_REGS_PARM2_CORE_SYSCALL(regs);
	w->end = w->at + ctx->ret;
	look_through(w);
	return 0;
}
