/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bundle each OCI runtime was given that was started lately, by its process: what a container
 * that is gone together with its runtime can still be looked up by. The last MAX_MAKERS are known.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MAX_MAKERS 64

/* Zeroes are none. */
struct makers {
	struct maker {
		uint32_t pid;
		char *bundle;
	} items[MAX_MAKERS];
	size_t next;
};

void makers_note(struct makers *m, uint32_t pid, const char *bundle);
const char *makers_bundle(const struct makers *m, uint32_t pid); /* NULL: not known */
void makers_done(struct makers *m);
