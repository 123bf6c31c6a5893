/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gadgets named on a command line, each adding its parameters as flags. A flag whose name several
 * of the gadgets know goes to all of them. A gadget whose parameter has the name of one of the
 * command's own flags is refused.
 */
#pragma once

#include "cmd/flags.h"
#include "cmd/offer.h"

struct gadget_flags {
	struct flags *flags;
	struct remote *remote;	 /* whose gadgets they are; NULL: those that are here */
	struct cluster *cluster; /* whose nodes are to run them, remote being one; NULL: none */
	struct offer **offers;
	struct gadget_flag_table **tables;
	size_t n, room, n_tables, room_tables;
};

/* Makes words of the command line gadgets: `a b` or `a,b`. remote is borrowed. */
void gadget_flags_init(struct gadget_flags *g, struct flags *flags, struct remote *remote);
void gadget_flags_done(struct gadget_flags *g);

void gadget_flags_complete(int argc, char **argv);
