// SPDX-License-Identifier: Apache-2.0
/* Classic filters, as they come from the child that compiles expressions. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "gadget/classic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { WINDOW = 512, ROOM = 1024 };
	struct sock_filter filter[128];
	struct bpf_insn out[ROOM];
	size_t n = size / sizeof(*filter), used = 0;
	struct err err = {0};

	if (n > sizeof(filter) / sizeof(*filter))
		return 0;
	memcpy(filter, data, n * sizeof(*filter));
	if (classic_translate(filter, n, WINDOW, out, ROOM, &used, &err))
		return 0;
	if (!used || used > ROOM)
		abort();
	/* Jumps lead forward and stay within. */
	for (size_t i = 0; i < used; i++) {
		uint8_t class = BPF_CLASS(out[i].code);

		if ((class == BPF_JMP || class == BPF_JMP32) && BPF_OP(out[i].code) != BPF_EXIT &&
		    (out[i].off < 0 || i + 1 + (size_t)out[i].off >= used))
			abort();
	}
	return 0;
}
