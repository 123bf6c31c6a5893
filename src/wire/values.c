// SPDX-License-Identifier: Apache-2.0
/* Values of other servers' fields, as numbers and as texts. */
#include <string.h>

#include "wire/decoder.h"

enum { MAX_ITEMS = 4096 }; /* of an array that are shown */

struct wire_slice wire_fetch(const struct wire_decoder *d, const struct wire_place *p)
{
	struct wire_slice none = {0}, s = d->payloads[p->payload];

	if (!p->size)
		return s;
	if (p->offs > s.len || p->size > s.len - p->offs)
		return none;
	return (struct wire_slice){s.bytes + p->offs, p->size};
}

static bool is_signed(uint32_t kind)
{
	return kind >= API__KIND__Int8 && kind <= API__KIND__Int64;
}

/* Bytes of a kind's values, 0: any. */
static size_t size_of(uint32_t kind)
{
	static const uint8_t sizes[] = {
		[API__KIND__Bool] = 1,	  [API__KIND__Int8] = 1,    [API__KIND__Int16] = 2,
		[API__KIND__Int32] = 4,	  [API__KIND__Int64] = 8,   [API__KIND__Uint8] = 1,
		[API__KIND__Uint16] = 2,  [API__KIND__Uint32] = 4,  [API__KIND__Uint64] = 8,
		[API__KIND__Float32] = 4, [API__KIND__Float64] = 8,
	};

	return kind < sizeof(sizes) ? sizes[kind] : 0;
}

static uint64_t load(uint32_t kind, const unsigned char *bytes, size_t len, bool big_endian)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)bytes[big_endian ? len - 1 - i : i] << 8 * i;
	if (is_signed(kind) && len < 8 && bytes[big_endian ? 0 : len - 1] & 0x80)
		value |= ~0ull << 8 * len;
	return value;
}

uint64_t wire_number(const struct wire_place *p, struct wire_slice value, bool big_endian)
{
	if (!value.len || value.len > 8)
		return 0;
	return load(p->kind, value.bytes, value.len, big_endian);
}

static void add_number(uint32_t kind, uint64_t value, struct buf *out)
{
	float single;
	double number;

	if (kind == API__KIND__Float32) {
		uint32_t bits = (uint32_t)value;

		memcpy(&single, &bits, sizeof(single));
		buf_printf(out, "%.7g", (double)single);
	} else if (kind == API__KIND__Float64) {
		memcpy(&number, &value, sizeof(number));
		buf_printf(out, "%.15g", number);
	} else if (kind == API__KIND__Bool) {
		buf_str(out, value ? "true" : "false");
	} else if (is_signed(kind)) {
		buf_i64(out, (int64_t)value);
	} else {
		buf_u64(out, value);
	}
}

static void add_hex(struct wire_slice value, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	if (!buf_reserve(out, 2 * value.len))
		return;
	for (size_t i = 0; i < value.len; i++) {
		out->data[out->len++] = digits[value.bytes[i] >> 4];
		out->data[out->len++] = digits[value.bytes[i] & 15];
	}
	buf_cstr(out);
}

/* 1,2,3 */
static void add_array(uint32_t kind, struct wire_slice value, bool big_endian, struct buf *out)
{
	size_t size = size_of(kind), n = size ? value.len / size : 0;

	for (size_t i = 0; i < n && i < MAX_ITEMS; i++) {
		if (i)
			buf_char(out, ',');
		add_number(kind, load(kind, value.bytes + i * size, size, big_endian), out);
	}
	if (!size)
		add_hex(value, out);
}

void wire_text(const struct wire_place *p, struct wire_slice value, bool big_endian,
	       struct buf *out)
{
	switch (p->kind) {
	case API__KIND__String:
		buf_add(out, value.bytes, value.len);
		return;
	case API__KIND__CString:
		buf_add(out, value.bytes,
			value.len ? strnlen((const char *)value.bytes, value.len) : 0);
		return;
	case API__KIND__Bytes:
		add_hex(value, out);
		return;
	default:
		if (p->kind & API__KIND__ArrayOf)
			add_array(p->kind & ~API__KIND__ArrayOf, value, big_endian, out);
		else if (value.len && value.len == size_of(p->kind))
			add_number(p->kind, load(p->kind, value.bytes, value.len, big_endian), out);
	}
}
