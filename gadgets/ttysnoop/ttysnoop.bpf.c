// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Text that processes write to terminals, and read from them. It is taken when the call returns:
 * then it is known how much went, and all of it is in memory. The call's arguments are still in the
 * registers that it entered with, so that a read is seen which waited before the tracer came.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/syscall.bpf.h>
#include <gadget/tty.bpf.h>

GADGET("Show what is written to terminals\n"
       "Shows the text of each write and writev to a terminal or to either side of a "
       "pseudo-terminal; with --reads also what is read: keys, as their program gets them.",
       LIMITS("Text is taken from the process's memory as its call returns: another of its threads "
	      "can have changed it. What is spliced to a terminal, written by io_uring, or echoed "
	      "by "
	      "the kernel is not shown.")
	       SELFTEST("printf selftest >/dev/ptmx", "operation==write,buf==selftest"));

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

/* The side that an emulator has is without a name; the other side has one. */
static __always_inline void fill_tty(struct tty_event *e, const struct tty_struct *tty)
{
	const struct tty_struct___link *side = (const void *)tty;

	e->master = BPF_CORE_READ(tty, driver, major) == MASTER_MAJOR;
	e->tty = tty_number(e->master ? BPF_CORE_READ(side, link) : tty);
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

/* `parts`: their number; 0: `from` is the text itself. */
static __always_inline void fill_text(struct tty_event *e, const void *from, __u64 parts)
{
	const struct iovec *next = from;
	struct iovec part = {};
	__u64 rest = e->len;

	if (!parts)
		add_text(e, from, rest);
	for (__u32 i = 0; i < MAX_PARTS && i < parts && rest; i++) {
		if (bpf_probe_read_user(&part, sizeof(part), next + i))
			break;
		if (part.length > rest)
			part.length = rest;
		add_text(e, part.base, part.length);
		rest -= part.length;
	}
	if (e->buf.length < e->len)
		e->buf.length |= G_TRUNCATED;
}

static __always_inline int leave(__s64 ret, __u32 operation, bool in_parts)
{
	const struct pt_regs *regs;
	struct tty_struct *tty;
	struct tty_event *e;
	struct inode *inode;
	struct file *file;
	g_container c;

	if (ret <= 0 || (operation == read && !reads) || !wanted(&c))
		return 0;
	regs = registers_at_entry();
	file = file_of_fd(PT_REGS_PARM1_CORE_SYSCALL(regs));
	inode = BPF_CORE_READ(file, f_inode);
	tty = tty_of_file(file, inode);
	if (!tty)
		return 0;
	e = record_begin(tty, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = operation;
	e->len = ret;
	e->ino = BPF_CORE_READ(inode, i_ino);
	fill_tty(e, tty);
	fill_text(e, (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs),
		  in_parts ? PT_REGS_PARM3_CORE_SYSCALL(regs) : 0);
	record_submit(tty, e);
	return 0;
}

SEC("tp/syscalls/sys_exit_write")
int exit_write(struct syscall_exit *ctx)
{
	return leave(ctx->ret, write, false);
}

SEC("tp/syscalls/sys_exit_writev")
int exit_writev(struct syscall_exit *ctx)
{
	return leave(ctx->ret, write, true);
}

SEC("tp/syscalls/sys_exit_read")
int exit_read(struct syscall_exit *ctx)
{
	return leave(ctx->ret, read, false);
}

SEC("tp/syscalls/sys_exit_readv")
int exit_readv(struct syscall_exit *ctx)
{
	return leave(ctx->ret, read, true);
}
