// SPDX-License-Identifier: Apache-2.0
/* A DNS message, as trace_dns's program copies it. An odd first byte: it was cut. */
#include "../../gadgets/trace_dns/trace_dns.h"
#include "decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_event e = {0};

	if (!size)
		return 0;
	e.name.length = data[0] & 1 ? G_TRUNCATED : 0;
	decode_text("trace_dns", "dns", &e, sizeof(e), &e.name, data + 1, size - 1);
	return 0;
}
