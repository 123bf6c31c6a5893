/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a gadget fits a kernel: its programs, the hooks they ask for, and which of them this kernel
 * would be given. Needs no loading, and no rights unless the kernel is asked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct gadget;

struct gadget_program {
	const char *name; /* of its function */
	const char *hook; /* "raw tracepoint", "kprobe on" */
	const char *target;
	const char *group; /* it is one of several ways to one purpose; NULL: the only one */
	uint64_t rung;	   /* the lowest that the kernel has is taken */
	bool optional;	   /* the gadget does without it */
	/*
	 * What the gadget cannot tell without this program if it is optional, with it if it is a
	 * rung. NULL: nothing.
	 */
	const char *cannot_tell;
	bool exists; /* the kernel has the hook, or only attaching can tell; true where not asked */
	bool used;   /* is loaded */
};

/*
 * Calls fn for each program; its argument is valid during the call. here: asks the running kernel
 * (root), else every hook counts as there. That a program which the gadget needs has no hook is no
 * error of this call: fn sees it, neither optional, nor of a group, nor existing. -EBADMSG: the
 * object is malformed.
 */
typedef void gadget_program_fn(void *ctx, const struct gadget_program *p);
int gadget_each_program(const struct gadget *g, bool here, gadget_program_fn *fn, void *ctx,
			struct err *err);
