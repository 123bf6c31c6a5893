/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a run of gadgets, here, at a daemon or in a cluster. */
#pragma once

#include "cmd/feed.h"

extern const struct flag_table process_flags, run_flags;

/* Without selector, tracer and instance. Valid as long as the process. */
const struct feed_options *run_flags_options(void);
