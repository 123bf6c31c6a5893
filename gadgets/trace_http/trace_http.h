/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * What trace_http tells of a request and its answer. The program copies the request's head to where
 * `path` is and the answer's to where `reason` is; the decoder (trace_http.c) makes of them what
 * stands in such heads.
 */
#pragma once

#ifndef __bpf__
#include "columns/types.h"
#endif

enum http_role { CLIENT, SERVER };

struct http_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum http_role role DOC("What the container is: CLIENT or SERVER") COL(width = 6);
	struct g_endpoint client DOC("The end that asks") COL(hidden);
	struct g_endpoint server DOC("The end that answers") COL(width = 18);
	g_text method DOC("GET, POST …") COL(width = 6);
	g_text host DOC("The Host header: which of the server's sites is asked") COL(width = 20);
	g_text path DOC("What is asked for, as it was sent: path and query, of a proxy a whole "
			"URL; of a head only the first 4 KiB are kept") COL(width = 30);
	__u32 status DOC("How the answer ends: 200, 404 …; 0: there was none") COL(width = 6);
	g_duration latency_ns DOC("From the request's first byte to the answer's; of a request "
				  "without answer: how long it was waited for") COL(width = 10);
	g_bool unanswered DOC("The connection was closed before an answer came") COL(hidden);
	g_text version DOC("Of the request: HTTP/1.1 or HTTP/1.0") COL(hidden);
	g_text reason DOC("What the answer says in words: OK, Not Found …") COL(hidden);
	g_text content_type DOC("Type of the answer's body") COL(hidden);
	__s64 content_length DOC(
		"Of the answer's body, as its head says; -1: it does not, or there "
		"is no answer") COL(hidden);
	__s64 request_length DOC("The same of the request's body; -1: it says none") COL(hidden);
	g_text request_type DOC("Type of the request's body") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};

enum { HTTP_REQUEST_MAX = 4096, HTTP_ANSWER_MAX = 1024 };
