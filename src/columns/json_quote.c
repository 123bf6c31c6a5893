// SPDX-License-Identifier: Apache-2.0
/* JSON strings of any bytes. Nearly all are plain ASCII, which is copied eight bytes at a time. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "columns/json.h"

#define EACH_BYTE(b) (0x0101010101010101ull * (b))

/*
 * The highest bit of a byte is set in the result if one of word's bytes cannot be copied as it is.
 */
static inline uint64_t not_plain(uint64_t word)
{
	uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\'),
		 del = word ^ EACH_BYTE(0x7f);

	/*
	 * Below 0x20; a borrow may also mark the byte above a marked one, never one in a clean
	 * word.
	 */
	return (word | (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) |
		(backslash - EACH_BYTE(1)) | (del - EACH_BYTE(1))) &
	       EACH_BYTE(0x80);
}

static char *put_hex4(char *p, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(p, "\\u", 2);
	for (int i = 0; i < 4; i++)
		p[2 + i] = hex[(unit >> (12 - 4 * i)) & 15];
	return p + 6;
}

/* Writes one character that begins at s; *used is set to the bytes it has. */
static char *put_char(char *p, const char *s, size_t len, size_t *used)
{
	static const char short_forms[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	uint32_t c;
	size_t n = utf8_decode(s, len, &c);

	*used = n ? n : 1;
	if (!n) {
		memcpy(p, "\xef\xbf\xbd", 3); /* U+FFFD */
		return p + 3;
	}
	if (c == '"' || c == '\\' || (c < sizeof(short_forms) && short_forms[c])) {
		*p = '\\';
		p[1] = c < sizeof(short_forms) ? short_forms[c] : (char)c;
		if (c == '"')
			p[1] = '"';
		return p + 2;
	}
	if (!utf8_steers(c)) {
		memcpy(p, s, n);
		return p + n;
	}
	if (c < 0x10000)
		return put_hex4(p, c);
	c -= 0x10000;
	return put_hex4(put_hex4(p, 0xd800 + (c >> 10)), 0xdc00 + (c & 0x3ff));
}

char *json_put_quoted(char *p, const char *bytes, size_t len)
{
	const char *s = len ? bytes : "", *end = s + len; /* no bytes may be NULL */

	*p++ = '"';
	while (s < end) {
		uint64_t word;
		size_t used;

		while (end - s >= 8) {
			memcpy(&word, s, 8);
			if (not_plain(word))
				break;
			memcpy(p, &word, 8);
			p += 8;
			s += 8;
		}
		/*
		 * A word with something to escape, or the last bytes: one by one until words go
		 * again.
		 */
		for (int i = 0; i < 8 && s < end; i++) {
			unsigned char c = (unsigned char)*s;

			if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
				*p++ = (char)c;
				s++;
				continue;
			}
			p = put_char(p, s, (size_t)(end - s), &used);
			s += used;
		}
	}
	*p++ = '"';
	return p;
}

/* Near the buffer's maximum: the text may fit although its longest form would not. */
static void quote_tight(struct buf *out, const char *bytes, size_t len)
{
	_cleanup_(freep) char *text = malloc(JSON_QUOTED_MAX(len));

	if (text)
		buf_add(out, text, (size_t)(json_put_quoted(text, bytes, len) - text));
	else
		out->failed = true;
}

void json_quote(struct buf *out, const char *bytes, size_t len)
{
	if (JSON_QUOTED_MAX(len) > out->max - out->len) {
		quote_tight(out, bytes, len);
		return;
	}
	if (!buf_reserve(out, JSON_QUOTED_MAX(len)))
		return;
	out->len = (size_t)(json_put_quoted(out->data + out->len, bytes, len) - out->data);
	out->data[out->len] = '\0';
}
