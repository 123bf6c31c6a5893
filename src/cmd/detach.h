/* SPDX-License-Identifier: Apache-2.0 */
/* `ig run --detach`: a gadget becomes an instance of the daemon. */
#pragma once

#include "cmd/feed.h"

extern const struct flag_table detach_flags;

bool detach_wanted(void); /* by its flag */

/* After the flags are parsed. -EINVAL: they do not go together, or not with so many gadgets. */
int detach_check(const struct gadget_flags *gadgets, struct err *err);

/*
 * At gadgets->remote; prints the id of each. timeout_ns 0: none; node: told before the id, NULL:
 * there is but one. -EEXIST: the name is taken.
 */
int detach(struct gadget_flags *gadgets, const struct feed_options *feed, uint64_t timeout_ns,
	   const char *node, struct err *err);
