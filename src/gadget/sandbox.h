/* SPDX-License-Identifier: Apache-2.0 */
/* A child that may do nothing but compute, for libraries that read what comes from outside. */
#pragma once

#include <stdbool.h>

struct buf;
struct err;

/* In the child: write(2) to report_fd is all that it can tell. False: it refuses. */
typedef bool sandbox_fn(void *ctx, int report_fd);

/*
 * 0: done; -EBADMSG: refused, and *err is not set. What it told is in `words` then, as far as that
 * has room. -EINVAL: it crashed or took more than five seconds. fault: that, in words.
 */
int sandbox_run(const char *fault, sandbox_fn *work, void *ctx, struct buf *words, struct err *err);
