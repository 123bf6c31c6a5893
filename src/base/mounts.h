/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts whose file system asks somebody else (a server, a process), who may never answer: told
 * from /proc/PID/mountinfo (proc(5)), without asking.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct remote_mount {
	uint64_t dev;	     /* as in struct stat */
	const char *mounted; /* where, with the kernel's escapes */
};

/*
 * The next one. *rest is a writable text that begins with a line, and moves on; false: no more.
 * Lines that are not understood are left out.
 */
bool mounts_next_remote(char **rest, struct remote_mount *ret);
