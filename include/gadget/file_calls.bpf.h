/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * System calls that read and write files by descriptors, all in one place for gadgets that follow
 * them.
 *
 *   static int enter_io(struct syscall_enter *ctx, bool write, __s32 fd, __s64 at);
 *   static int leave_io(struct syscall_exit *ctx);
 *   FILE_CALLS(enter_io, leave_io)        a program on the enter and the exit of each
 *
 *   static int enter_copy(struct syscall_enter *ctx, __s32 from, __s64 from_at, __s32 to,
 *                         __s64 to_at);
 *   FILE_COPIES(enter_copy, leave_copy)   the same of those that move bytes between descriptors
 *
 * at: the place in the file that the call names; FILE_AT_POSITION: the descriptor's own.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#define FILE_AT_POSITION -1

#define FILE_CALL(CALL, ENTER, LEAVE, WRITE, AT)            \
	SEC("tp/syscalls/sys_enter_" #CALL)                 \
	int enter_##CALL(struct syscall_enter *ctx)         \
	{                                                   \
		return ENTER(ctx, WRITE, ctx->args[0], AT); \
	}                                                   \
	SEC("tp/syscalls/sys_exit_" #CALL)                  \
	int exit_##CALL(struct syscall_exit *ctx)           \
	{                                                   \
		return LEAVE(ctx);                          \
	}

#define FILE_CALLS(ENTER, LEAVE)                                \
	FILE_CALL(read, ENTER, LEAVE, false, FILE_AT_POSITION)  \
	FILE_CALL(readv, ENTER, LEAVE, false, FILE_AT_POSITION) \
	FILE_CALL(pread64, ENTER, LEAVE, false, ctx->args[3])   \
	FILE_CALL(preadv, ENTER, LEAVE, false, ctx->args[3])    \
	FILE_CALL(preadv2, ENTER, LEAVE, false, ctx->args[3])   \
	FILE_CALL(write, ENTER, LEAVE, true, FILE_AT_POSITION)  \
	FILE_CALL(writev, ENTER, LEAVE, true, FILE_AT_POSITION) \
	FILE_CALL(pwrite64, ENTER, LEAVE, true, ctx->args[3])   \
	FILE_CALL(pwritev, ENTER, LEAVE, true, ctx->args[3])    \
	FILE_CALL(pwritev2, ENTER, LEAVE, true, ctx->args[3])

/* The place that a call is passed by address, or not at all. */
static __always_inline __s64 file_place_at(__u64 pointer)
{
	__s64 at = FILE_AT_POSITION;

	if (pointer)
		bpf_probe_read_user(&at, sizeof(at), (const void *)pointer);
	return at;
}

#define FILE_COPY(CALL, ENTER, LEAVE, FROM, FROM_AT, TO, TO_AT)                    \
	SEC("tp/syscalls/sys_enter_" #CALL)                                        \
	int enter_##CALL(struct syscall_enter *ctx)                                \
	{                                                                          \
		return ENTER(ctx, ctx->args[FROM], FROM_AT, ctx->args[TO], TO_AT); \
	}                                                                          \
	SEC("tp/syscalls/sys_exit_" #CALL)                                         \
	int exit_##CALL(struct syscall_exit *ctx)                                  \
	{                                                                          \
		return LEAVE(ctx);                                                 \
	}

#define FILE_COPIES(ENTER, LEAVE)                                                                \
	FILE_COPY(sendfile64, ENTER, LEAVE, 1, file_place_at(ctx->args[2]), 0, FILE_AT_POSITION) \
	FILE_COPY(splice, ENTER, LEAVE, 0, file_place_at(ctx->args[1]), 2,                       \
		  file_place_at(ctx->args[3]))                                                   \
	FILE_COPY(copy_file_range, ENTER, LEAVE, 0, file_place_at(ctx->args[1]), 2,              \
		  file_place_at(ctx->args[3]))

/* Is it a file with bytes of its own? What is not on any file system (an eventfd) is none. */
static __always_inline bool file_is_regular(const struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG &&
	       BPF_CORE_READ(inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC;
}
