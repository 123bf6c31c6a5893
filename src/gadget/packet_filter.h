/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gadget's parameter that is a pcap filter expression, PACKET_FILTER() of
 * gadget/packet_filter.bpf.h: becomes the body of its function.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
struct gadget;
struct err;

/*
 * Writes the expression's translation over a whole function of n instructions at `code`; what is
 * not needed is dead. -EINVAL: what is wrong with the expression.
 */
int packet_filter_write(const char *expression, struct bpf_insn *code, size_t n, struct err *err);

/*
 * *ret: a copy of the gadget's object with its filters in it, to be freed; NULL: it has none.
 */
int packet_filter_apply(const struct gadget *g, unsigned char **ret, struct err *err);
