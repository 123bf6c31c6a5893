/* SPDX-License-Identifier: Apache-2.0 */
/* Options of gadgets' reports (columns/report.h) as flags, and their modes for help and completion.
 */
#pragma once

#include "cmd/flags.h"
#include "columns/labels.h"

/* Adds the flags of this gadget's report, if it has one; NULL: of all reports that there are. */
int report_flags_add(struct flags *f, const char *gadget, struct err *err);

/* What the flags said, by name; valid as long as the process. */
const struct labels *report_flags_options(void);

/* "Output modes: …" of the gadget's report; nothing where it has none. */
void report_flags_about(const char *gadget);

/* Candidates for --output, one a line: of the gadgets that argv names; of all where it names none.
 */
void report_flags_complete(int argc, char **argv);
