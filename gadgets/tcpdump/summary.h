/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the headers of an Ethernet frame from whoever sent it, in one pass within its
 * bounds, in the words of tcpdump's short form.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "columns/types.h"

enum { SUMMARY_PROTO_MAX = 16, SUMMARY_INFO_MAX = 256 };

struct summary {
	struct g_endpoint src, dst; /* version is 0: not IP */
	struct buf proto, info;
};

void summary_init(struct summary *s);
void summary_done(struct summary *s);

/* `s` is initialised. Bytes that are missing end what is told; that is no error. */
void summary_make(struct summary *s, const void *frame, size_t n);
