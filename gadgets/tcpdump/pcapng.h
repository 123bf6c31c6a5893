/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes capture files as Wireshark reads them: pcapng (draft-ietf-opsawg-pcapng), in this
 * machine's order of bytes, with times in ns. A section header, then a block for each interface
 * before its first packet, packets, and at last the interfaces' counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void pcapng_section(struct buf *out, const char *application);

/* Ethernet. Interfaces are numbered from 0 on in their order. */
void pcapng_interface(struct buf *out, const char *name, const char *description);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* since 1970 */
	const void *bytes;
	uint32_t n, length;  /* bytes that are there, and of the whole packet */
	bool out;	     /* sent, not received */
	const char *comment; /* NULL: none */
};
void pcapng_packet(struct buf *out, const struct pcapng_packet *p);

/* `dropped`: UINT64_MAX: not known. */
void pcapng_counts(struct buf *out, uint32_t interface, uint64_t time_ns, uint64_t received,
		   uint64_t dropped, const char *comment);
