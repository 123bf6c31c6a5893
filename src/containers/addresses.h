/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose an IP address is, as far as this machine can tell: a pod's by what its runtime says, a
 * container's or the host's by its network namespace, whose addresses /proc tells without entering
 * it. They are looked for when somebody asks, and again by and by, less and less often where they
 * stay the same: an address that a container got late is known some seconds later, at most half a
 * minute. One that several have, in networks that do not know each other, is nobody's. What may set
 * addresses in its own namespace may claim one of another there, but not that of a pod, which the
 * runtime's word settles.
 *
 * Addresses are as in types.h: IPv6, IPv4 as ::ffff:a.b.c.d.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/types.h"
#include "containers/containers.h"

struct addresses;

enum address_kind {
	ADDRESS_RAW, /* none of these */
	ADDRESS_CONTAINER,
	ADDRESS_HOST,
	ADDRESS_LOOPBACK,
};

/* cs outlives it. */
struct addresses *addresses_new(struct containers *cs);
struct addresses *addresses_free(struct addresses *as); /* NULL is fine */

/*
 * now: boot clock. *ret is the container (ADDRESS_CONTAINER), of several in a network namespace one
 * that runs, valid until the next call, or the next dispatch; else NULL.
 */
enum address_kind addresses_find(struct addresses *as, const g_addr address, uint64_t now,
				 const struct container **ret);

/* ---- parsers --------------------------------------------------------------------- */

bool addresses_parse(const char *text, g_addr ret); /* "10.0.0.1", "::1"; false: it is none */

struct address_list {
	g_addr *items;
	size_t n, room;
};

/*
 * Of /proc/PID/net. Both append up to MAX_ADDRESSES that are not loopback ones; what is malformed
 * is left out.
 */
void addresses_parse_fib_trie(const char *text, struct address_list *to);
void addresses_parse_if_inet6(const char *text, struct address_list *to);
