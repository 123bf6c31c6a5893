/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI hook's work: what the runtime says on stdin of the container that it makes or has ended
 * becomes one call to the daemon of this node, which so knows the container before its first
 * instruction.
 * https://github.com/opencontainers/runtime-spec/blob/main/config.md#posix-platform-hooks
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define HOOK_HOST "unix:///var/run/ig/ig.socket" /* where no other address is given */

bool hook_is_stage(const char *word);	/* "createRuntime", … */
const char *hook_stage(unsigned int i); /* their names; NULL at the end */

/*
 * -ENOENT, -ECONNREFUSED: no daemon runs at `host`; else -EINVAL for a state that is none, or what
 * the daemon or the way to it says. Reads all of stdin first, so that the runtime can write it.
 */
int hook_notify(const char *stage, const char *host, uint64_t timeout_ns, struct err *err);
