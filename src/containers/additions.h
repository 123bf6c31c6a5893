/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * How often anything was added to maps of wanted containers, by the host side or by the detector.
 * A program that has looked an id up in vain keeps it beside the count that it read *before* the
 * look-up; while the count is the same it need not look again. Whoever adds counts *afterwards*: so
 * what was looked up in vain just before an addition is looked up again. Include after the types.
 *
 * The detector's own count has no barrier on arm64, so it may be seen before what was added. The
 * host side counts the same containers once more when it hears of them.
 */
#pragma once

/* The count is in the upper half, so that an id that fits into the lower one can stand with it. */
#define ADDITION (1ull << 32)
