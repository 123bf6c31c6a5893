// SPDX-License-Identifier: Apache-2.0
#include "dns.h"

#include <string.h>

enum { MAX_NAME_BYTES = 255, POINTER = 0xc0 };

bool dns_u8(struct dns_reader *r, uint8_t *ret)
{
	if (r->at >= r->n)
		return false;
	*ret = r->bytes[r->at++];
	return true;
}

bool dns_u16(struct dns_reader *r, uint16_t *ret)
{
	if (r->n - r->at < 2)
		return false;
	*ret = (uint16_t)(r->bytes[r->at] << 8 | r->bytes[r->at + 1]);
	r->at += 2;
	return true;
}

bool dns_u32(struct dns_reader *r, uint32_t *ret)
{
	uint16_t high, low;

	if (r->n - r->at < 4 || !dns_u16(r, &high) || !dns_u16(r, &low))
		return false;
	*ret = (uint32_t)high << 16 | low;
	return true;
}

void dns_escape(struct buf *out, const uint8_t *bytes, size_t n, bool quoted)
{
	const char *special = quoted ? "\"\\" : ".\\";
	uint8_t first = quoted ? ' ' : '!';

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] < first || bytes[i] > '~')
			buf_printf(out, "\\%03u", bytes[i]);
		else
			buf_printf(out, strchr(special, bytes[i]) ? "\\%c" : "%c", bytes[i]);
	}
}

/* Where a pointer's first byte was `high`; false where it leads not before `before`. */
static bool follow(struct dns_reader *r, uint8_t high, size_t *before)
{
	uint8_t low;
	size_t to;

	if (!dns_u8(r, &low))
		return false;
	to = (size_t)(high & ~POINTER) << 8 | low;
	if (to >= *before)
		return false;
	*before = to;
	r->at = to;
	return true;
}

bool dns_name(struct dns_reader *r, struct buf *name)
{
	struct dns_reader in = *r;
	size_t before = r->at, bytes = 0;
	bool jumped = false;
	uint8_t length;

	buf_clear(name);
	for (;;) {
		if (!dns_u8(&in, &length))
			return false;
		if ((length & POINTER) == POINTER) {
			if (!jumped)
				r->at = in.at + 1;
			jumped = true;
			if (!follow(&in, length, &before))
				return false;
			continue;
		}
		bytes += length + 1u;
		if (length & POINTER || length > in.n - in.at || bytes > MAX_NAME_BYTES)
			return false;
		if (!length)
			break;
		dns_escape(name, in.bytes + in.at, length, false);
		buf_char(name, '.');
		in.at += length;
	}
	if (!name->len)
		buf_char(name, '.');
	if (!jumped)
		r->at = in.at;
	return true;
}

bool dns_begin(struct dns_reader *r, const void *bytes, size_t n, struct dns_header *ret)
{
	*r = (struct dns_reader){.bytes = bytes, .n = n};
	return dns_u16(r, &ret->id) && dns_u16(r, &ret->flags) && dns_u16(r, &ret->questions) &&
	       dns_u16(r, &ret->answers) && dns_u16(r, &ret->authorities) &&
	       dns_u16(r, &ret->additional);
}

bool dns_question(struct dns_reader *r, struct buf *name, struct dns_question *ret)
{
	return dns_name(r, name) && dns_u16(r, &ret->type) && dns_u16(r, &ret->class);
}

bool dns_record(struct dns_reader *r, struct buf *name, struct dns_record *ret)
{
	uint16_t n;

	if (!dns_name(r, name) || !dns_u16(r, &ret->type) || !dns_u16(r, &ret->class) ||
	    !dns_u32(r, &ret->ttl) || !dns_u16(r, &n) || n > r->n - r->at)
		return false;
	ret->at = r->at;
	ret->n = n;
	r->at += n;
	return true;
}
