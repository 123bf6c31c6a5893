// SPDX-License-Identifier: Apache-2.0
/* An Ethernet frame, as tcpdump's program copies it. An odd first byte: it was cut. */
#include "../../gadgets/tcpdump/tcpdump.h"
#include "decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcpdump_event e = {0};

	if (!size)
		return 0;
	e.frame.length = data[0] & 1 ? G_TRUNCATED : 0;
	decode_text("tcpdump", "packets", &e, sizeof(e), &e.frame, data + 1, size - 1);
	return 0;
}
