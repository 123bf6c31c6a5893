// SPDX-License-Identifier: Apache-2.0
#include "wire/pb.h"

#include <errno.h>

/* tag and number; out has room */
static void put(struct buf *out, unsigned int tag, uint64_t value)
{
	unsigned char *p = (unsigned char *)out->data + out->len;

	*p = (unsigned char)tag;
	p = pb_put_varint(p + 1, value);
	*p = '\0';
	out->len = (size_t)(p - (unsigned char *)out->data);
}

void pb_add_number(struct buf *out, unsigned int field, uint64_t value)
{
	if (value && buf_reserve(out, 1 + PB_VARINT_MAX))
		put(out, PB_TAG(field, PB_VARINT), value);
}

size_t pb_number_size(uint64_t value)
{
	return value ? 1 + pb_varint_size(value) : 0;
}

void pb_add_head(struct buf *out, unsigned int field, size_t len)
{
	if (buf_reserve(out, 1 + PB_VARINT_MAX))
		put(out, PB_TAG(field, PB_BYTES), len);
}

void pb_add_bytes(struct buf *out, unsigned int field, const void *bytes, size_t len)
{
	if (!buf_reserve(out, 1 + PB_VARINT_MAX + len))
		return;
	put(out, PB_TAG(field, PB_BYTES), len);
	buf_add(out, bytes, len);
}

size_t pb_bytes_size(size_t len)
{
	return 1 + pb_varint_size(len) + len;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool read_varint(struct pb_cursor *c, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70 && c->at < c->end; shift += 7) {
		unsigned char byte = *c->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool read_fixed(struct pb_cursor *c, size_t size, uint64_t *ret)
{
	*ret = 0;
	if (size > (size_t)(c->end - c->at))
		return false;
	memcpy(ret, c->at, size); /* little endian, as is every machine that ig runs on */
	c->at += size;
	return true;
}

static bool read_bytes(struct pb_cursor *c, struct pb_field *ret)
{
	uint64_t len;

	if (!read_varint(c, &len) || len > (size_t)(c->end - c->at))
		return false;
	ret->bytes = c->at;
	ret->len = len;
	c->at += len;
	return true;
}

int pb_next(struct pb_cursor *c, struct pb_field *ret)
{
	uint64_t tag;
	bool good;

	if (c->at == c->end)
		return 0;
	if (!read_varint(c, &tag) || tag > UINT32_MAX || !(tag >> 3))
		return -EBADMSG;
	ret->number = (uint32_t)tag >> 3;
	ret->type = tag & 7;
	switch (ret->type) {
	case PB_VARINT:
		good = read_varint(c, &ret->value);
		break;
	case PB_FIXED64:
		good = read_fixed(c, 8, &ret->value);
		break;
	case PB_BYTES:
		good = read_bytes(c, ret);
		break;
	case PB_FIXED32:
		good = read_fixed(c, 4, &ret->value);
		break;
	default: /* groups, which proto3 does not have */
		return -EBADMSG;
	}
	return good ? 1 : -EBADMSG;
}
