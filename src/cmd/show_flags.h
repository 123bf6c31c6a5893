/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of commands that show a feed's rows: how long, into which file, with which totals. */
#pragma once

#include "cmd/show.h"

extern const struct flag_table show_flags;

const struct show_options *show_flags_options(void); /* valid as long as the process */
int show_flags_check(struct err *err);		     /* -EINVAL: one goes with another */
