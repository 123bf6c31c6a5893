/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of user space -> names. A stack that a gadget took (g_ustack) becomes texts, innermost
 * function first, each as much as can be told:
 *
 *   main+0x12 (/bin/app)     the function, how far behind its start, the file
 *   /bin/app+0x1234          no function is known there: the place in the file
 *   build-id:0daa…+0x1234    no file of this build id was met yet
 *   0x7f12345678             neither, and the process has gone or has no file there
 *
 * Files are found through the process's memory map and kept by device and inode, and by build id: a
 * frame with one needs no look at its process, which may be gone, once the file was met in any. So
 * a file that many containers have has the path where it was met first. Files are read with care
 * (elf.h), and not from mounts of the process that a server or a process serves: these may never
 * answer.
 *
 * One thread; reading a large file for the first time takes some milliseconds.
 */
#pragma once

#include <stddef.h>

struct buf;
struct symbols;

/* proc: a descriptor of the host's /proc, which stays the caller's. */
struct symbols *symbols_new(int proc);
struct symbols *symbols_free(struct symbols *s); /* NULL is fine */

/*
 * Appends the frames of a struct g_user_stack (any bytes: a gadget may be hostile) as strings with
 * a NUL behind each. Returns how many of them there are in the stack beyond those that fit into
 * out.
 */
size_t symbols_stack(struct symbols *s, const void *stack, size_t len, struct buf *out);

/*
 * The files of such a stack that have a build id and were met, each once, as "0daa… /bin/app" with
 * a NUL behind it. Returns how many more there are than fit into out.
 */
size_t symbols_files(struct symbols *s, const void *stack, size_t len, struct buf *out);
