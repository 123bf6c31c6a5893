/* SPDX-License-Identifier: Apache-2.0 */
/* `ig run --detach`: a gadget becomes an instance of the daemon. */
#pragma once

#include "cmd/feed.h"

struct detach_options {
	const char *name;    /* NULL: as the gadget */
	uint64_t history;    /* records that are kept; 0: as the daemon likes */
	uint64_t timeout_ns; /* 0: none */
	const char *node;    /* told before the id; NULL: there is but one */
};

/* Prints the id of each. -EEXIST: the name is taken. */
int detach(struct gadget_flags *gadgets, const struct feed_options *feed,
	   const struct detach_options *o, struct err *err);
