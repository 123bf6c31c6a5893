/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates packet filters of the classic BPF machine, which is what libpcap compiles expressions
 * to, into the body of a function of an eBPF program:
 *
 *   int filter(const void *frame, u32 have, u32 length)
 *
 * `frame` points to `window` bytes that may be read, of which `have` are of the packet; `length` is
 * that of the whole packet. The answer is the filter's: 0 rejects. A load behind `have` rejects as
 * well. So the verdict is the kernel's own (net/core/filter.c), but for what lies behind the
 * window.
 *
 * What the classic machine can only do at a packet socket (loads from negative offsets: the device,
 * the VLAN tag beside the packet) is refused.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * At most `room` instructions to `out`; *ret_n: how many. -EINVAL: not a valid filter, or one that
 * looks where this one cannot; -E2BIG: it does not fit. The program has neither calls nor wide
 * instructions, and jumps forward only.
 */
int classic_translate(const struct sock_filter *filter, size_t n, uint32_t window,
		      struct bpf_insn *out, size_t room, size_t *ret_n, struct err *err);
