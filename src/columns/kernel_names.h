/* SPDX-License-Identifier: Apache-2.0 */
/* Names of system calls and capabilities, as libseccomp and libcap know them. */
#pragma once

#include <stdint.h>

#include "columns/types.h"

struct buf;

/* Appends "openat"; its number where there is no name, nothing for G_NO_SYSCALL. */
void syscall_name(g_syscall call, struct buf *out);
/* By a name of this machine's; G_NO_SYSCALL: it has none such. */
g_syscall syscall_named(const char *name);

/* Appends "CAP_CHOWN"; its number where there is no name. */
void capability_name(uint32_t capability, struct buf *out);
int capability_named(const char *name); /* "CAP_CHOWN" or "chown"; -EINVAL */
