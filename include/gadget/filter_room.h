/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/* What packet_filter.bpf.h and the host have in common. */
#pragma once

#define PACKET_FILTER_TEXT 2048 /* bytes of an expression, with its NUL */
#define PACKET_FILTER_BYTES 512 /* of a frame that a filter can see */
#define PACKET_FILTER_ROOM 4096 /* instructions of a translated filter */
