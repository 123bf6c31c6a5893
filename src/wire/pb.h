/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format of protobuf by hand, for rows: what comes a hundred thousand times a second is
 * neither copied into messages nor out of them. Source:
 * https://protobuf.dev/programming-guides/encoding/
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

#define PB_TAG(field, type) ((field) << 3 | (type))
#define PB_VARINT_MAX 10 /* bytes */

static inline size_t pb_varint_size(uint64_t value)
{
	return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static inline unsigned char *pb_put_varint(unsigned char *p, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*p++ = (unsigned char)(value | 0x80);
	*p++ = (unsigned char)value;
	return p;
}

/* A field of numbers below 16, whose tag is one byte. 0 is left out, as proto3 has it. */
void pb_add_number(struct buf *out, unsigned int field, uint64_t value);
size_t pb_number_size(uint64_t value);

/* The same for bytes, which are there also when empty. Only the head: tag and length. */
void pb_add_head(struct buf *out, unsigned int field, size_t len);
void pb_add_bytes(struct buf *out, unsigned int field, const void *bytes, size_t len);
size_t pb_bytes_size(size_t len);

/* Reading: what is left of a message. */
struct pb_cursor {
	const unsigned char *at, *end;
};

struct pb_field {
	uint32_t number;
	enum pb_type type;
	uint64_t value;		    /* PB_VARINT, PB_FIXED… */
	const unsigned char *bytes; /* PB_BYTES: within the message */
	size_t len;
};

static inline struct pb_cursor pb_cursor(const void *bytes, size_t len)
{
	return (struct pb_cursor){bytes, (const unsigned char *)bytes + len};
}

/* 1: a field; 0: the end; -EBADMSG. */
int pb_next(struct pb_cursor *c, struct pb_field *ret);
