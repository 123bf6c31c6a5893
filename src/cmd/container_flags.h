/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say where the host and its runtimes are. */
#pragma once

#include "cmd/command.h"
#include "containers/containers.h"

extern const struct flag_table container_flags;

/* As the flags say; warnings become log lines. Valid as long as the process. */
void container_flags_options(struct containers_options *ret);
