// SPDX-License-Identifier: Apache-2.0
/*
 * Heads of HTTP/1.x, as trace_http's program copies them: behind an odd first byte that of a
 * request, else that of an answer.
 */
#include "../../gadgets/trace_http/trace_http.h"
#include "decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_event e = {0};

	if (!size)
		return 0;
	decode_text("trace_http", "http", &e, sizeof(e), data[0] & 1 ? &e.path : &e.reason,
		    data + 1, size - 1);
	return 0;
}
