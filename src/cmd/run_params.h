/* SPDX-License-Identifier: Apache-2.0 */
/* What `ig run` was told by flags, as parameters of a daemon's run (manager/spec.h has the keys).
 */
#pragma once

#include "cmd/feed.h"
#include "columns/labels.h"

/* The gadget's own, and those that every gadget has. */
void run_params(const struct feed_options *o, const struct labels *gadgets, struct labels *ret);
