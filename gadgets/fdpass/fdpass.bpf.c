// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * File descriptors that go through unix sockets. Both sides are looked at when their call returns:
 * the sender's message is in memory then, and the receiver's has the new descriptors. The call's
 * arguments are still in the registers that it entered with, so that a receiver is seen which
 * waited before the tracer came.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/socket.bpf.h>
#include <gadget/syscall.bpf.h>
#include <gadget/task_of_pid.bpf.h>

GADGET("Trace file descriptors that are passed through unix sockets\n"
       "Shows each descriptor that sendmsg or sendmmsg sends and each that recvmsg or recvmmsg "
       "receives: its number, the file, the socket and what is known of the other end.",
       LIMITS("Messages are read as the call returns: another thread can have changed them. What "
	      "io_uring sends and receives is not shown, nor descriptors that are taken by "
	      "pidfd_getfd.")
	       SELFTEST("perl -MSocket -e '$x = `uname -m` =~ /x86/; socketpair(A, B, AF_UNIX, "
			"SOCK_STREAM, 0); $b = q(x); $i = pack(q(PQ), $b, 1); $c = pack(q(QllLx4), "
			"20, 1, 1, 0); $m = pack(q(QQPQPQQ), 0, 0, $i, 1, $c, 24, 0); syscall($x ? "
			"46 : 211, fileno(A), $m, 0)'",
			"operation==send,fd==0"));

enum fd_operation { send, receive };

struct fd_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum fd_operation operation DOC("send or receive") COL(width=9);
	g_fd sockfd DOC("Descriptor of the socket") COL(width=6);
	g_fd fd DOC("Descriptor that is sent, or that the receiver got") COL(width=5);
	g_errno error DOC("Why nothing was sent") COL(width=8);
	g_text file DOC("Path of the file; of what has no path its kind")
		COL(width=40,
									      ellipsis=start);
	g_pid peer_pid DOC("Process that made or connected the other end; another one may have it "
			   "by now. 0: not known, as where a socket is not connected");
	g_comm peer_comm DOC("Its name");
	g_inode socket_ino DOC("Inode of the socket") COL(width=10);
	g_inode peer_ino DOC("Inode of the other end; 0: not accepted yet, or not connected")
		COL(width=10);
	g_inode file_ino DOC("Inode of the file") COL(hidden);
	g_bool cut DOC("Of a receiver: there was no room for all descriptors that were sent")
		COL(hidden);
	g_container_name peer_container DOC(
		"Name of that process's container, of a pod's with namespace and pod; empty: the "
		"host, or not known") COL(hidden);
};
TRACER(fdpass, fd_event, 4096 + sizeof(g_cgroup));

/* ---- messages in the process's memory ---------------------------------------------------------
 */

struct message {
	const void *name;
	__u64 name_length;
	const void *parts;
	__u64 n_parts;
	__u64 control, control_length;
	__u32 flags;
};
enum { MMSGHDR_BYTES = 64, MSG_CTRUNC = 8 };

struct control {
	__u64 length; /* with this */
	__s32 level, type;
};
enum { SOL_SOCKET = 1, SCM_RIGHTS = 1 };

/* ---- kernel types -----------------------------------------------------------------------------
 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct unix_sock {
	struct sock *peer;
};
struct sock___peer {
	struct pid *sk_peer_pid;
};
#pragma clang attribute pop

/* ---- from message to message, from descriptor to descriptor ------------------------------------
 */

/*
 * How far a call's messages have been looked at. A message has control blocks, a block of type
 * SCM_RIGHTS has descriptors; the kernel takes up to 253 of a message.
 */
struct walk {
	g_container container;
	__u32 operation;
	g_fd sockfd;
	const void *messages;
	__u32 stride; /* from one message to the next; 0: it is one */
	__s32 error;
	__u32 message, n_messages;
	__u64 at, end;	  /* of the current message's blocks */
	__u64 fds, n_fds; /* of the current block */
	bool cut;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

/* Messages, blocks and descriptors of one call that are looked at. */
enum { MAX_STEPS = 2048 };

static __always_inline struct walk *walk_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

static __always_inline g_inode socket_inode(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

static __always_inline void fill_socket(struct fd_event *e, const struct sock *sk)
{
	const struct sock___peer *peer = (const void *)sk;
	const struct unix_sock *unix = (const void *)sk;
	struct pid *pid = BPF_CORE_READ(peer, sk_peer_pid);
	struct task_struct *task = pid_task_of(pid);

	e->socket_ino = socket_inode(sk);
	e->peer_ino = socket_inode(BPF_CORE_READ(unix, peer));
	if (!pid)
		return;
	e->peer_pid = BPF_CORE_READ(pid, numbers[0].nr);
	if (!task)
		return;
	bpf_core_read_str(e->peer_comm, sizeof(e->peer_comm), &task->comm);
	text_container(fdpass, e, peer_container, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id));
}

static __noinline int put_out(const struct walk *w, g_fd fd)
{
	struct fd_event *e = record_begin(fdpass, w->container);
	struct file *file = file_of_fd(fd);

	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = w->operation;
	e->sockfd = w->sockfd;
	e->error = w->error;
	e->cut = w->cut;
	e->fd = fd;
	fill_socket(e, sock_of_fd(e->sockfd));
	if (file) {
		e->file_ino = BPF_CORE_READ(file, f_inode, i_ino);
		text_path(fdpass, e, file, &file->f_path, 4096);
	}
	record_submit(fdpass, e);
	return 0;
}

static __always_inline void next_fd(struct walk *w)
{
	g_fd fd = -1;

	bpf_probe_read_user(&fd, sizeof(fd), (const void *)w->fds);
	w->fds += sizeof(fd);
	w->n_fds--;
	put_out(w, fd);
}

static __always_inline void next_block(struct walk *w)
{
	struct control block = {};

	if (bpf_probe_read_user(&block, sizeof(block), (const void *)w->at) ||
	    block.length < sizeof(block) || block.length > w->end - w->at) {
		w->at = w->end;
		return;
	}
	if (block.level == SOL_SOCKET && block.type == SCM_RIGHTS) {
		w->fds = w->at + sizeof(block);
		w->n_fds = (block.length - sizeof(block)) / sizeof(g_fd);
	}
	w->at += (block.length + 7) & ~7ull;
}

static __always_inline void next_message(struct walk *w)
{
	struct message m = {};

	bpf_probe_read_user(&m, sizeof(m), w->messages + w->message * w->stride);
	w->message++;
	w->at = m.control;
	w->end = m.control_length ? m.control + m.control_length : m.control;
	w->cut = w->operation == receive && m.flags & MSG_CTRUNC;
}

/* False: that was all. Verified once and by itself, so that there can be many. */
__noinline int step(void)
{
	struct walk *w = walk_now();

	if (!w)
		return false;
	if (w->n_fds)
		next_fd(w);
	else if (w->at + sizeof(struct control) <= w->end)
		next_block(w);
	else if (w->message < w->n_messages)
		next_message(w);
	else
		return false;
	return true;
}

/* ---- the calls --------------------------------------------------------------------------------
 */

/* A call of several messages tells how many it did, or why it did not do the first. */
static __always_inline void look_through(struct walk *w, __s64 ret)
{
	int more = true;

	w->error = ret < 0 ? -ret : 0;
	w->n_messages = w->stride && ret > 0 ? ret : 1;
	for (int i = 0; i < MAX_STEPS && more; i++)
		more = step();
	if (more)
		record_lost(w->container);
}

static __always_inline int leave(__s64 ret, __u32 operation, __u32 stride)
{
	const struct pt_regs *regs;
	struct walk *w;
	struct sock *sk;
	g_container c;

	if ((ret < 0 && operation == receive) || !wanted(&c))
		return 0;
	regs = registers_at_entry();
	sk = sock_of_fd(PT_REGS_PARM1_CORE_SYSCALL(regs));
	w = walk_now();
	if (!w || BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return 0;
	__builtin_memset(w, 0, sizeof(*w));
	w->container = c;
	w->operation = operation;
	w->sockfd = PT_REGS_PARM1_CORE_SYSCALL(regs);
	w->messages = (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs);
	w->stride = stride;
	look_through(w, ret);
	return 0;
}

SEC("tp/syscalls/sys_exit_sendmsg")
int exit_sendmsg(struct syscall_exit *ctx)
{
	return leave(ctx->ret, send, 0);
}

SEC("tp/syscalls/sys_exit_sendmmsg")
int exit_sendmmsg(struct syscall_exit *ctx)
{
	return leave(ctx->ret, send, MMSGHDR_BYTES);
}

SEC("tp/syscalls/sys_exit_recvmsg")
int exit_recvmsg(struct syscall_exit *ctx)
{
	return leave(ctx->ret, receive, 0);
}

SEC("tp/syscalls/sys_exit_recvmmsg")
int exit_recvmmsg(struct syscall_exit *ctx)
{
	return leave(ctx->ret, receive, MMSGHDR_BYTES);
}
