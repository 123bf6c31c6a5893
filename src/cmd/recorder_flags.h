/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of the flight recorder, the same for `ig record` and the daemon. */
#pragma once

#include "cmd/command.h"
#include "recorder/recording.h"

extern const struct flag_table recorder_flags;

/* As the flags say; folder, selector and who is told are the command's. Valid as long as the
 * process. */
void recorder_flags_options(struct recording_options *ret);
