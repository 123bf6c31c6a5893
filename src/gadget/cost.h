/* SPDX-License-Identifier: Apache-2.0 */
/* What programs and maps cost, as the kernel counts it. */
#pragma once

#include <stdint.h>

/* How long and how often programs ran while that was counted (bpf_enable_stats()). */
struct gadget_runtime {
	uint64_t ns, runs;
};
void program_runtime_add(int program_fd, struct gadget_runtime *sum);

uint64_t map_bytes(int map_fd); /* of kernel memory (memlock of fdinfo); 0: not known */
