/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the host, which may be mounted below some directory of ours. Paths are absolute and are
 * looked up with the host's root as root: no symbolic link in it leads out of it. What is opened is
 * never a pipe or device that somebody put in a file's place, and never blocks.
 */
#pragma once

struct buf;

/*
 * root is "" or a directory. Returns a descriptor (O_CLOEXEC) or -errno. flags: of open(2), no
 * O_CREAT.
 */
int host_open(const char *root, const char *path, int flags);

/*
 * Reads a regular file whole into an empty buf. -EINVAL: not a regular file; -EFBIG: longer than
 * b->max.
 */
int host_read(const char *root, const char *path, struct buf *b);

/*
 * Calls fn for each name in a directory, without "." and ".."; for none where it cannot be read.
 * Stops when fn returns something else than 0, and returns that.
 */
typedef int host_name_fn(void *arg, const char *name);
int host_each(const char *root, const char *path, host_name_fn *fn, void *arg);
