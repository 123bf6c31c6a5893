// SPDX-License-Identifier: Apache-2.0
/* A client's bytes as a request of HTTP/1.1: what is whole stays so, whatever follows it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = {0}, part = {0};
	int r = http_request_read((const char *)data, size, &whole), before;

	before = size ? http_request_read((const char *)data, size - 1, &part) : 1;
	if (!before && (r || strcmp(whole.path, part.path) != 0 || whole.n != part.n))
		abort();
	if (!r && whole.path[0] != '/')
		abort();
	if (!r)
		http_parameter(&whole, "id");
	http_request_done(&whole);
	http_request_done(&part);
	return 0;
}
