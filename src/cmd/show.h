/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a feed on the screen, in a pipe or in a file, until somebody ends it; then what became of
 * the records. What `ig run` and `ig attach` have in common.
 */
#pragma once

#include "cmd/feed.h"

struct show_options {
	const char *record;  /* file to write the records to as well; NULL: none */
	bool append;	     /* behind what it has */
	bool all_totals;     /* of each container, however many there are */
	uint64_t timeout_ns; /* 0: none */
};

/* The gadgets are taken over to run them; they run at their daemon where they have one. */
int show(struct gadget_flags *gadgets, const struct feed_options *feed,
	 const struct show_options *o, struct err *err);
