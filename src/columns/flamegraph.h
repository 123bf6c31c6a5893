/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Added up stacks as a flame graph: one SVG file for browsers, without references to anything
 * outside of it. A frame is as wide as its share; its callers stand above it, the container at the
 * top. In a browser a click shows one frame and what is below it at full width, and a regular
 * expression marks functions and tells their share (flamegraph.js).
 *
 * The same stacks give the same bytes. Names of functions are anybody's: they come out as text.
 */
#pragma once

#include "columns/folded.h"

struct buf;

/*
 * f: of a plan with containers. What is narrower than a tenth of a pixel is left out. unit: what
 * the sums count ("samples").
 */
void flamegraph_print(const struct folded *f, const char *title, const char *unit, struct buf *out);
