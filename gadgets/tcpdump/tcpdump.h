/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What tcpdump tells of a packet. The program fills what the kernel knows, and copies the frame;
 * the decoder (tcpdump.c) makes the rest of the frame, which stays.
 */
#pragma once

#ifndef __bpf__
#include "columns/types.h"
#endif

struct tcpdump_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	char dev[16] DOC("Network device") COL(width = 10);
	enum g_packet_type pkt_type DOC("HOST: the device received it; OUTGOING: it sent it")
		COL(width = 8);
	g_text proto DOC("ARP, TCP, UDP, ICMP …; of others the type of frame, or IP's protocol")
		COL(width = 8);
	struct g_endpoint src DOC("Who sent it") COL(width = 22);
	struct g_endpoint dst DOC("Who receives it") COL(width = 22);
	__u32 length DOC("Bytes of the whole frame") COL(width = 6);
	g_text info DOC("What stands in it, in short") COL(width = 40);
	__u32 ifindex DOC("Number of the device in its network namespace") COL(hidden);
	g_netns netns_id DOC("Network namespace of the device") COL(hidden);
	g_octets frame DOC("The frame, with an Ethernet header; marked where it was cut")
		COL(hidden);
};

enum {
	TCPDUMP_LINK = 18,	 /* an Ethernet header with a VLAN tag */
	TCPDUMP_PAYLOAD = 30000, /* most bytes behind it that are taken */
	TCPDUMP_CHUNK = 2048,	 /* of a page at once; room behind the payload */
	TCPDUMP_TAIL = TCPDUMP_LINK + TCPDUMP_PAYLOAD + TCPDUMP_CHUNK
};
