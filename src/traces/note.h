/* SPDX-License-Identifier: Apache-2.0 */
/* Loss within a stream of JSON: the members of its "ig" object, the same wherever it is written. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct container;

/*
 * "event":"lost","gadget":…,"container":…,"count":N, before it "node":… where it is known; c: NULL
 * where it is not known which.
 */
void note_lost(struct buf *json, const char *gadget, const struct container *c, uint64_t count);
