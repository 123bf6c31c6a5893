/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container as clients of GadgetTracerManager describe it: in the form of v0.12, or in that of
 * v0.4, which gives fields 2, 3 and 4 other types. Which of both a message is, its bytes tell.
 */
#pragma once

#include <stddef.h>

#include "columns/labels.h"
#include "containers/containers.h"

struct definition {
	struct container_notice notice; /* texts are those of the message; NULL: not said */
	struct labels labels;
	void *message; /* as it was unpacked */
	bool is_v04;
};

/*
 * -EINVAL: no such message, or one with texts that are too long. *ret stays where it is: its notice
 * points into it. Everything in it is released by definition_done().
 */
int definition_read(const void *bytes, size_t len, struct definition *ret, struct err *err);
void definition_done(struct definition *d);
