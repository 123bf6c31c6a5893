/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of an agent that runs in a cluster, and what it asks of the API server. */
#pragma once

#include "cmd/command.h"

struct containers;
struct reactor;

extern const struct flag_table kube_flags;

/* Nothing is done where this is no pod, or the node's name is not known. -EINVAL: bad flags. */
int kube_flags_start(struct reactor *r, struct containers *cs, struct err *err);
void kube_flags_stop(void);
