// SPDX-License-Identifier: Apache-2.0
/* Answers of the CRI and of containerd about a container, and its events. The first byte chooses
 * which. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "containers/containerd.h"
#include "containers/cri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void do_nothing(struct listener *l)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static rpc_fill_fn *const fills[] = {cri_fill_pod,    cri_fill_container,
					     containerd_fill, containerd_fill_from_sandbox,
					     cri_fill_listed, containerd_fill_task};
	_cleanup_(container_unrefp) struct container *c = container_new();
	struct daemon d = {0};
	struct listener l;

	for (size_t i = 0; size && i < array_size(fills); i++)
		if (data[0] == '0' + (int)i)
			fills[i](NULL, c, data + 1, size - 1);
	if (size && data[0] == '0' + (int)array_size(fills)) {
		listener_begin(&l, &d, do_nothing);
		containerd_hear(&l, data + 1, size - 1);
		listener_done(&l);
	}
	return 0;
}
