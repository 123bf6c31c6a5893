/* SPDX-License-Identifier: Apache-2.0 */
/* Where a new section of a record file begins. */
#pragma once

#include "recorder/output.h"

struct err;

/* The head of a new file. */
int output_file_head(struct chunk_output *o, struct err *err);

/*
 * Puts the output behind the last good chunk of o->fd's file, and ends the section that was cut
 * short there; what stands behind it is cut off, and its bytes are told.
 */
int prepare_append(struct chunk_output *o, uint64_t *ret_dropped, struct err *err);
