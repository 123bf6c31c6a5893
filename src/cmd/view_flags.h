/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say how rows are chosen and shown, the same for every command that shows rows. */
#pragma once

#include "columns/view.h"
#include "cmd/command.h"

extern const struct flag_table view_flags;

/* What the flags said, with the terminal's size and colours looked up. Filters stay owned by the
 * command line. */
void view_flags_options(struct view_options *ret);

bool view_flags_is_output(const struct flag *f); /* it is --output */

/* After SIGWINCH: looks the terminal's size up again. */
void view_flags_resize(struct view *v);

/*
 * The last flush of a command: 0 also where the reader went away, which is the reader's wish;
 * -errno and words where the output could not be written. NULL is fine.
 */
int view_flags_finish(struct view *v, struct err *err);
