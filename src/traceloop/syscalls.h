/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of this machine's system calls (syscalls.def), and what is kept of each while it is
 * recorded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "columns/types.h"
#include "traceloop/record.h"

struct err;

/* How an argument is shown, and what is kept of what it points to: kinds.def. */
enum arg_kind {
#define KIND(name, ...) ARG_##name,
#include "traceloop/kinds.def"
#undef KIND
};

struct arg {
	enum arg_kind kind;
	const char *name; /* the kernel's; NULL: there is no such argument */
	const char *of;	  /* the argument that tells how much there is; NULL: none does */
};

struct syscall {
	const char *name; /* NULL: no such call */
	struct arg args[LOOP_ARGS];
};

/* NULL: a number that the table does not have. */
const struct syscall *syscall_find(int32_t nr);
int syscall_number(const char *name); /* -1: this machine has no call of that name */
unsigned int syscall_n_args(const struct syscall *s);

/*
 * What to keep of each call, ret[LOOP_CALLS + 1]. only: names, with commas between them; NULL or
 * "": all. -EINVAL for a name that there is not, in err.
 */
int syscall_plan(const char *only, struct loop_call *ret, struct err *err);
