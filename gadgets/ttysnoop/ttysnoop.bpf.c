// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Text that processes write to terminals, and read from them. It is taken when the call returns:
 * then it is known how much went, and all of it is in memory.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/tty.bpf.h>

GADGET("Show what is written to terminals\n"
       "Shows the text of each write and writev to a terminal or to either side of a "
       "pseudo-terminal; with --reads also what is read: keys, as their program gets them.",
       LIMITS("Text is taken from the process's memory as its call returns: another of its threads "
	      "can have changed it. What is spliced to a terminal, written by io_uring, or echoed "
	      "by "
	      "the kernel is not shown.")
       SELFTEST("script -qc 'echo hello' /dev/null", "buf~hello"));

PARAM(bool, reads, false, "Show also what is read");

enum tty_operation { write, read };

struct tty_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum tty_operation operation DOC("write or read") COL(width=9);
	g_tty tty DOC("Terminal") COL(width=8);
	__u64 len DOC("Bytes written or read") COL(width=6);
	g_text buf DOC("The first 4096 of them") COL(width=60);
	g_bool master DOC("It is the side of a pseudo-terminal that its emulator has: what is "
			  "written there is input") COL(hidden);
	g_inode ino DOC("Inode of the terminal's file") COL(hidden);
};
enum { TEXT_MAX = 4096, MAX_PARTS = 32 };
TRACER(tty, tty_event, 2 * TEXT_MAX);

struct tty_call {
	g_container container;
	__u32 operation;
	g_tty tty;
	bool master;
	g_inode ino;
	const void *from; /* the text; of writev and readv its parts */
	__u32 parts;	  /* their number; 0: it is the text */
};
PENDING(calls, tty_call);

/* ---- is it a terminal? ------------------------------------------------------------------------
 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct tty_file_private {
	struct tty_struct *tty;
};
struct tty_struct___link {
	struct tty_struct *link; /* the other side of a pseudo-terminal */
};
#pragma clang attribute pop

/* Documentation/admin-guide/devices.txt of the kernel */
enum {
	VC_MAJOR = 4,  /* ttyN, ttySN */
	AUX_MAJOR = 5, /* tty, console, ptmx */
	MASTER_MAJOR = 128,
	PTS_MAJOR = 136,
	PTS_LAST_MAJOR = 143,
	ACM_MAJOR = 166,
	USB_MAJOR = 188,
	LOW_DENSITY_MAJOR = 204,
	HVC_MAJOR = 229,
};

static __always_inline bool is_tty_major(__u32 major)
{
	return major == VC_MAJOR || major == AUX_MAJOR ||
	       (major >= PTS_MAJOR && major <= PTS_LAST_MAJOR) || major == ACM_MAJOR ||
	       major == USB_MAJOR || major == LOW_DENSITY_MAJOR || major == HVC_MAJOR;
}

/* NULL: the descriptor is of something else. */
static __always_inline struct tty_struct *tty_of_file(const struct file *file, struct inode *inode)
{
	const struct tty_file_private *private;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFCHR ||
	    !is_tty_major(BPF_CORE_READ(inode, i_rdev) >> 20))
		return NULL;
	private = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(private, tty);
}

/* ---- the calls --------------------------------------------------------------------------------
 */

static __always_inline int enter(__u32 operation, int fd, const void *from, __u32 parts)
{
	const struct tty_struct___link *side;
	struct tty_struct *tty;
	struct tty_call *call;
	struct inode *inode;
	struct file *file;
	g_container c;

	if (!wanted(&c))
		return 0;
	file = file_of_fd(fd);
	inode = BPF_CORE_READ(file, f_inode);
	tty = tty_of_file(file, inode);
	if (!tty)
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->operation = operation;
	call->ino = BPF_CORE_READ(inode, i_ino);
	call->from = from;
	call->parts = parts;
	call->master = BPF_CORE_READ(tty, driver, major) == MASTER_MAJOR;
	if (call->master) { /* has no name, the other side has */
		side = (const void *)tty;
		tty = BPF_CORE_READ(side, link);
	}
	call->tty = tty_number(tty);
	return 0;
}

/* Adds bytes to the text, which lies at the end of the record's tail. */
static __noinline int add_text(struct tty_event *e, const void *from, __u64 bytes)
{
	struct g_text_place before = e->buf;
	__u64 room = TEXT_MAX - before.length, take = bytes < room ? bytes : room;

	if (before.length > TEXT_MAX)
		return 0;
	text_user_bytes(tty, e, buf, from, take, TEXT_MAX);
	if (before.length && e->buf.offset != before.offset) {
		e->buf.length += before.length;
		e->buf.offset = before.offset;
	}
	return 0;
}

struct iovec {
	const void *base;
	__u64 length;
};

static __always_inline void fill_text(struct tty_event *e, const struct tty_call *call)
{
	const struct iovec *parts = call->from;
	struct iovec part = {};
	__u64 rest = e->len;

	if (!call->parts)
		add_text(e, call->from, rest);
	for (__u32 i = 0; i < MAX_PARTS && i < call->parts && rest; i++) {
		if (bpf_probe_read_user(&part, sizeof(part), parts + i))
			break;
		if (part.length > rest)
			part.length = rest;
		add_text(e, part.base, part.length);
		rest -= part.length;
	}
	if (e->buf.length < e->len)
		e->buf.length |= G_TRUNCATED;
}

static __noinline int leave(__s64 ret)
{
	struct tty_call *call = pending_end(calls);
	struct tty_event *e;

	if (!call || ret <= 0)
		return 0;
	e = record_begin(tty, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = call->operation;
	e->tty = call->tty;
	e->master = call->master;
	e->ino = call->ino;
	e->len = ret;
	fill_text(e, call);
	record_submit(tty, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_write")
int enter_write(struct syscall_enter *ctx)
{
	return enter(write, ctx->args[0], (const void *)ctx->args[1], 0);
}

SEC("tp/syscalls/sys_exit_write")
int exit_write(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_writev")
int enter_writev(struct syscall_enter *ctx)
{
	return enter(write, ctx->args[0], (const void *)ctx->args[1], ctx->args[2]);
}

SEC("tp/syscalls/sys_exit_writev")
int exit_writev(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_enter_read")
int enter_read(struct syscall_enter *ctx)
{
	return reads ? enter(read, ctx->args[0], (const void *)ctx->args[1], 0) : 0;
}

SEC("tp/syscalls/sys_exit_read")
int exit_read(struct syscall_exit *ctx)
{
	return reads ? leave(ctx->ret) : 0;
}

SEC("tp/syscalls/sys_enter_readv")
int enter_readv(struct syscall_enter *ctx)
{
	return reads ? enter(read, ctx->args[0], (const void *)ctx->args[1], ctx->args[2]) : 0;
}

SEC("tp/syscalls/sys_exit_readv")
int exit_readv(struct syscall_exit *ctx)
{
	return reads ? leave(ctx->ret) : 0;
}
