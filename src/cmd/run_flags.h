/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a run of gadgets, here, at a daemon or in a cluster. */
#pragma once

#include "cmd/feed.h"

struct run_flags {
	struct feed_options feed; /* without selector, tracer and instance */
	uint64_t timeout_ns;	  /* 0: none */
};

extern const struct flag_table process_flags, run_flags;

const struct run_flags *run_flags_options(void); /* valid as long as the process */
