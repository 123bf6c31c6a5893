/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * A pcap filter expression as a gadget's parameter, which runs in the kernel.
 *
 *   PACKET_FILTER(expression, matches, "Only packets that this pcap expression matches");
 *
 *   if (!matches(frame, have, length))
 *           return 0;
 *
 * `frame` points to PACKET_FILTER_BYTES that the program can read itself (in a map's value), an
 * Ethernet frame from its first byte on, of which `have` bytes are there; `length` is that of the
 * whole frame. A filter that looks behind what is there rejects, as the kernel's own do.
 *
 * The host has libpcap compile the expression, translates what comes out
 * (src/gadget/classic.h) and writes it over the body of the function before it is loaded. As
 * shipped the function says yes, and is as long as the longest filter may be.
 */
#pragma once

#include <gadget/gadget.bpf.h>
#include <gadget/filter_room.h>

/*
 * The jump over them makes them dead code, which the kernel removes. They are `r0 = 0` as data,
 * which has no line numbers.
 */
#define G_FILTER_ROOM                                                       \
	"%[yes] = 1\n"                                                      \
	"if %[yes] == 1 goto +" G_STR(PACKET_FILTER_ROOM) "\n.rept " G_STR( \
		PACKET_FILTER_ROOM) "\n"                                    \
				    ".quad 0xb7\n"                          \
				    ".endr\n"
#define G_STR_(text) #text
#define G_STR(text) G_STR_(text)

#define PACKET_FILTER(PARAMETER, NAME, TEXT)                                    \
	const volatile char PARAMETER[PACKET_FILTER_TEXT] G_TAG("param")        \
		G_TAG("packet-filter:" #NAME) DOC(TEXT) = "";                   \
	static __noinline int NAME(const void *frame, __u32 have, __u32 length) \
	{                                                                       \
		int yes;                                                        \
                                                                                \
		asm volatile(G_FILTER_ROOM                                      \
			     : [yes] "=&r"(yes)                                 \
			     : "r"(frame), "r"(have), "r"(length)               \
			     : "r0");                                           \
		return yes;                                                     \
	}
