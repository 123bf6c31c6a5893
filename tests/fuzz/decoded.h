/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzzers of decoders: bytes from outside as one text of a record, and what comes of it. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/decoder.h"

/* Has the gadget's decoder make a record of it; aborts where that is none. */
static inline void decode_text(const char *gadget, const char *source, void *fixed,
			       uint32_t fixed_size, g_text *field, const uint8_t *data, size_t size)
{
	const struct decoder *decoder = decoder_find(gadget, source, fixed_size);
	size_t n = size < MAX_RECORD_BYTES - fixed_size ? size : MAX_RECORD_BYTES - fixed_size;
	_cleanup_(freep) char *record = xcalloc(1, fixed_size + n);
	_cleanup_(buf_done) struct buf out, tail;

	*field = (g_text){.offset = fixed_size, .length = (uint32_t)n | field->length};
	memcpy(record, fixed, fixed_size);
	if (n)
		memcpy(record + fixed_size, data, n);
	buf_init(&out, 2 * MAX_RECORD_BYTES);
	buf_init(&tail, MAX_RECORD_BYTES);
	if (!decoder || !decoder_run(decoder, record, (uint32_t)(fixed_size + n), &out, &tail) ||
	    out.failed || tail.failed || out.len > MAX_RECORD_BYTES)
		abort();
}
