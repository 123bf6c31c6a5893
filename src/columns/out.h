/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a view prints: bytes wait in a buffer and are written in large pieces; rows that could not
 * be are counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct out {
	int fd;
	int error;  /* -errno of the first write that failed; nothing is written after it */
	bool hurry; /* a signal interrupted a write: we are to end */
	struct buf buf;
	uint32_t *row_ends; /* places in buf */
	size_t n_rows, room_rows;
	uint64_t unwritten;
};

void out_init(struct out *o, int fd);
void out_done(struct out *o);
void out_row_end(struct out *o); /* what was appended since the last row end is one row */

/*
 * Writes all, however long the reader takes (also where fd is non-blocking). o->error. Once a
 * signal has interrupted a write (one whose handler does not restart it, siginterrupt(3)) a reader
 * that takes nothing for two seconds is as one that is gone: -EPIPE.
 */
int out_flush(struct out *o);
