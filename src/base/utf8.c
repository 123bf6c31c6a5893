// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

struct range {
	uint32_t first, last;
};

#include "base/utf8_ranges.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c;
	size_t n;

	if (!len)
		return 0;
	if (u[0] < 0x80) {
		*ret = u[0];
		return 1;
	}
	n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (u[0] < 0xc2 || u[0] > 0xf4 || len < n)
		return 0;
	c = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

size_t utf8_put(uint32_t c, char ret[4])
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i; i--) {
		ret[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	ret[0] = (char)(lead[n] | c);
	return n;
}

static bool in_ranges(uint32_t c, const struct range *ranges, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c > ranges[middle].last)
			low = middle + 1;
		else if (c < ranges[middle].first)
			high = middle;
		else
			return true;
	}
	return false;
}

unsigned int utf8_width(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (in_ranges(c, zero_width, array_size(zero_width)))
		return 0;
	return in_ranges(c, double_width, array_size(double_width)) ? 2 : 1;
}

bool utf8_steers(uint32_t c)
{
	static const struct range ranges[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},     {0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe007f},
	};

	return in_ranges(c, ranges, array_size(ranges));
}

static void escape_one(struct buf *out, uint32_t c)
{
	static const struct {
		char c, letter;
	} short_forms[] = {{'\n', 'n'}, {'\t', 't'}, {'\r', 'r'}};

	for (size_t i = 0; i < array_size(short_forms); i++)
		if (c == (unsigned char)short_forms[i].c) {
			buf_char(out, '\\');
			buf_char(out, short_forms[i].letter);
			return;
		}
	buf_printf(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

void escape_text(struct buf *out, const char *bytes, size_t len)
{
	size_t at = 0, plain = 0; /* bytes from plain to at are to be copied */

	if (!len) /* bytes may be NULL */
		return;
	while (at < len) {
		uint32_t c = (unsigned char)bytes[at];
		size_t n;

		if (c >= 0x20 && c < 0x7f) {
			at++;
			continue;
		}
		n = utf8_decode(bytes + at, len - at, &c);
		if (n && !utf8_steers(c)) {
			at += n;
			continue;
		}
		buf_add(out, bytes + plain, at - plain);
		escape_one(out, c);
		at += n ? n : 1;
		plain = at;
	}
	buf_add(out, bytes + plain, len - plain);
}

size_t text_width(const char *s, size_t len)
{
	size_t width = 0;

	for (size_t at = 0; at < len;) {
		uint32_t c;
		size_t n = utf8_decode(s + at, len - at, &c);

		width += n ? utf8_width(c) : 1;
		at += n ? n : 1;
	}
	return width;
}
