/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a message of HTTP/1.x (RFC 9112), as far as trace_http shows it; read in one pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct head_text {
	const char *bytes; /* in the head; NULL: there is none */
	size_t n;
	bool cut; /* the head ends in it */
};

struct http_head {
	/* "GET /path HTTP/1.1": all up to the first blank, the middle, behind the last one. */
	/* "HTTP/1.1 404 Not Found": likewise, but the middle ends at the second blank. */
	struct head_text first[3];
	struct head_text host, content_type, content_length; /* the first one of each */
};

/* A head that was cut is read up to there. */
void head_read_request(const char *bytes, size_t n, struct http_head *ret);
void head_read_answer(const char *bytes, size_t n, struct http_head *ret);
