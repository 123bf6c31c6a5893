/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of arguments: how each is shown, and what is kept of what it points to (kinds.def). */
#pragma once

#include "traceloop/values.h"

struct keep {
	uint8_t kind; /* enum loop_probe_kind */
	uint8_t of;   /* enum loop_of, or KEEP_OF_ARG */
	uint8_t at_exit;
	uint16_t unit, max;
};

enum { KEEP_OF_ARG = 0xff }; /* as many as the argument says that the table names */

struct arg_form {
	struct keep keep;
	value_fn *text; /* is called where what is kept is there */
};

extern const struct arg_form kinds[];

#define FLAGS(set) value_flags_##set
#define KIND(name, text, kept) value_fn text;
#include "traceloop/kinds.def"
#undef KIND
#undef FLAGS
