/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpcap's compiler of filter expressions. It is in a file of its own because its headers and the
 * kernel's have types of the same names.
 */
#pragma once

#include <stddef.h>

struct sock_filter; /* linux/filter.h */

/*
 * For Ethernet frames. At most `room` instructions. Returns how many; -EINVAL: `why` is libpcap's
 * reason, cut to `why_size`; -E2BIG.
 */
int pcap_expression(const char *expression, struct sock_filter *ret, size_t room, char *why,
		    size_t why_size);
