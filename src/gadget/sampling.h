/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that run so many times a second on every CPU: SEC("perf_event") and EVERY_CPU_AT() of
 * gadget.bpf.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gadget;

/* It has a program of this kind. */
bool gadget_samples(const struct gadget *g);

/*
 * Flags for hash maps that such a program looks into. Before Linux 6.1 the kernel wants the room
 * for all their entries made beforehand; from then on it is made as they come.
 */
uint32_t sampling_map_flags(void);
