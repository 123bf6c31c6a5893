// SPDX-License-Identifier: Apache-2.0
/* What a client says of a container. */
#include <stddef.h>
#include <stdint.h>

#include "api/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct definition d;

	if (!definition_read(data, size, &d, NULL))
		definition_done(&d);
	return 0;
}
