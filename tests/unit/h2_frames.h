/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: frames of HTTP/2 (RFC 9113, 4.1) as a server would send them, byte by byte. */
#pragma once

#include <stdio.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline void put_number(struct buf *b, uint32_t value, int bytes)
{
	while (bytes--)
		buf_char(b, (char)(value >> (8 * bytes)));
}

static inline void put_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t stream,
			     const void *payload, size_t n)
{
	put_number(b, (uint32_t)n, 3);
	put_number(b, type, 1);
	put_number(b, flags, 1);
	put_number(b, stream, 4);
	buf_add(b, payload, n);
}

static inline void put_settings(struct buf *b)
{
	put_frame(b, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* A length of RFC 7541, 5.1 in seven bits, and the bytes. */
static inline void put_text(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n < 127) {
		buf_char(b, (char)n);
	} else {
		buf_char(b, 127);
		for (n -= 127; n >= 128; n /= 128)
			buf_char(b, (char)(n % 128 + 128));
		buf_char(b, (char)n);
	}
	buf_str(b, s);
}

/* headers: "name: value\n…", as literals that are not remembered. */
static inline void put_headers(struct buf *b, uint32_t stream, const char *headers, bool end)
{
	struct buf block = {.max = 1 << 20};
	size_t done = 0, n;
	char line[4096];

	for (const char *at = headers, *newline; (newline = strchr(at, '\n')); at = newline + 1) {
		char *colon;

		snprintf(line, sizeof(line), "%.*s", (int)(newline - at), at);
		colon = strstr(line, ": ");
		*colon = '\0';
		buf_char(&block, 0);
		put_text(&block, line);
		put_text(&block, colon + 2);
	}
	do {
		n = block.len - done < 16384 ? block.len - done : 16384;
		put_frame(b, done ? NGHTTP2_CONTINUATION : NGHTTP2_HEADERS,
			  (done + n == block.len ? NGHTTP2_FLAG_END_HEADERS : 0) |
				  (end && !done ? NGHTTP2_FLAG_END_STREAM : 0),
			  stream, block.data + done, n);
		done += n;
	} while (done < block.len);
	buf_done(&block);
}

/* One message of gRPC in a DATA frame. */
static inline void put_message(struct buf *b, uint32_t stream, const char *message)
{
	struct buf data = {.max = 1 << 20};

	put_number(&data, 0, 1);
	put_number(&data, (uint32_t)strlen(message), 4);
	buf_str(&data, message);
	put_frame(b, NGHTTP2_DATA, 0, stream, data.data, data.len);
	buf_done(&data);
}

static inline void put_reset(struct buf *b, uint32_t stream, uint32_t code)
{
	struct buf data = {.max = 4};

	put_number(&data, code, 4);
	put_frame(b, NGHTTP2_RST_STREAM, 0, stream, data.data, data.len);
	buf_done(&data);
}

static inline void put_goaway(struct buf *b, uint32_t last_stream, uint32_t code, const char *text)
{
	struct buf data = {.max = 1 << 14};

	put_number(&data, last_stream, 4);
	put_number(&data, code, 4);
	buf_str(&data, text);
	put_frame(b, NGHTTP2_GOAWAY, 0, 0, data.data, data.len);
	buf_done(&data);
}
