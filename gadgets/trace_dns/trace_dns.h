/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What trace_dns tells of a message. The program copies the message to where `name` is; the decoder
 * (trace_dns.c) makes of it what stands in a message.
 */
#pragma once

#ifndef __bpf__
#include "columns/types.h"
#endif

enum dns_direction { Q, R };

struct dns_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("Who sent it") COL(hidden);
	struct g_endpoint dst DOC("Who receives it") COL(hidden);
	struct g_endpoint nameserver DOC("The end that has the server's port") COL(width = 18);
	enum g_packet_type pkt_type DOC("HOST: the container received it; OUTGOING: it sent it")
		COL(hidden);
	enum dns_direction qr DOC("Q: a query; R: a response") COL(width = 2);
	g_text qtype DOC("Type of what is asked for: A, AAAA, MX …; by number: TYPE65400")
		COL(width = 6);
	g_text name DOC("What is asked for; what is not printable is \\DDD") COL(width = 30);
	g_text rcode DOC("How a response ends: NOERROR, NXDOMAIN, SERVFAIL …") COL(width = 9);
	g_duration latency_ns DOC("Of a response: since its query; of one without: how long it was "
				  "waited for") COL(width = 10);
	g_bool timeout DOC("The query had no answer when its socket was closed") COL(width = 7);
	g_args addresses DOC("Addresses of the response") COL(width = 30);
	g_args cnames DOC("Other names that the response leads to, in its order") COL(hidden);
	g_args answers DOC("The records of the response, as in a zone file") COL(hidden);
	g_hex id DOC("By which a response belongs to its query") COL(hidden);
	g_text qclass DOC("Class of what is asked for: IN, CH …") COL(hidden);
	__u32 num_questions DOC("Questions in the message; the first one is shown") COL(hidden);
	__u32 num_answers DOC("Records in the answer") COL(hidden);
	g_bool aa DOC("The server is the authority") COL(hidden);
	g_bool tc DOC("Cut: to be asked again over TCP") COL(hidden);
	g_bool rd DOC("Recursion is desired") COL(hidden);
	g_bool ra DOC("Recursion is available") COL(hidden);
	g_bool ad DOC("Authentic data (DNSSEC)") COL(hidden);
	g_bool cd DOC("Checking is not wanted (DNSSEC)") COL(hidden);
	g_bool edns DOC("It has EDNS") COL(hidden);
	g_bool dnssec DOC("EDNS: DNSSEC's records are wanted") COL(hidden);
	__u32 udp_size DOC("EDNS: how much the sender can receive") COL(hidden);
	g_text client_subnet DOC("EDNS: of whom the server asks, ADDRESS/BITS") COL(hidden);
	g_bool malformed DOC("The message is not as it should be; what was read is shown")
		COL(hidden);
	g_bytes length DOC("Of the whole message") COL(hidden);
	g_text exepath DOC("With --paths: the process's program") COL(hidden, ellipsis = start);
	g_text cwd DOC("With --paths: its current folder") COL(hidden, ellipsis = start);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

enum { DNS_MESSAGE_MAX = 8192 };
