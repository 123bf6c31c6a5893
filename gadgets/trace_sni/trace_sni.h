/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What trace_sni tells of a connection. The program copies the ClientHello to where `name` is; the
 * decoder (trace_sni.c) makes of it what stands in one.
 */
#pragma once

#ifndef __bpf__
#include "columns/types.h"
#endif

struct sni_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	struct g_endpoint src DOC("The client") COL(hidden);
	struct g_endpoint dst DOC("The server");
	enum g_packet_type pkt_type DOC("HOST: the container is the server; OUTGOING: the client")
		COL(hidden);
	g_text name DOC("Name of the server that the client asks for; empty: it names none")
		COL(width = 30);
	g_text version DOC("Highest version of TLS that the client offers") COL(width = 7);
	g_args alpn DOC("Protocols that the client offers: h2, http/1.1 …") COL(width = 16);
	g_args versions DOC("All versions that the client offers") COL(hidden);
	__u32 ciphers DOC("How many cipher suites the client offers") COL(hidden);
	g_bool ech DOC("With Encrypted Client Hello: the name is that of who decrypts it")
		COL(hidden);
	g_bool malformed DOC("It is not as it should be; what was read is shown") COL(hidden);
	g_bytes length DOC("Of the ClientHello with its records' headers") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

enum { SNI_HELLO_MAX = 8192 };
