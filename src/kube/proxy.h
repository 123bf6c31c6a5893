/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child: `kubectl proxy`. What it says (both its output and its log) is read as it comes, and
 * the last line is kept, since it is what explains its end.
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/reactor.h"

struct err;

struct proxy {
	pid_t pid;   /* 0: none */
	int socket;  /* O_PATH of its socket file */
	int said_fd; /* what it says */
	struct watch watch;
	struct buf line; /* that is not whole yet */
	struct buf last; /* that was */
};

/* p is zeroed. Errors as those of kube_open(). */
int proxy_start(struct proxy *p, const char *const *flags, struct reactor *r, struct err *err);
void proxy_end(struct proxy *p); /* a zeroed or half-started one is fine */
