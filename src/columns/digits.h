/* SPDX-License-Identifier: Apache-2.0 */
/* Integers as decimal text, two digits at a time: the most frequent work of a formatter. */
#pragma once

#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 }; /* of a 64-bit number, sign included */

static inline const char *digit_pair(unsigned int below_100)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	return pairs + 2 * below_100;
}

/* Writes exactly n digits (n even), with leading zeros. */
static inline char *put_padded(char *p, uint32_t value, unsigned int n)
{
	for (unsigned int i = n; i; i -= 2) {
		memcpy(p + i - 2, digit_pair(value % 100), 2);
		value /= 100;
	}
	return p + n;
}

/* Returns the place behind the last digit. */
static inline char *put_u64(char *p, uint64_t value)
{
	char digits[DIGITS_MAX];
	char *at = digits + sizeof(digits);
	size_t n;

	if (value < 10) {
		*p = (char)('0' + value);
		return p + 1;
	}
	while (value > UINT32_MAX) {
		at -= 2;
		memcpy(at, digit_pair(value % 100), 2);
		value /= 100;
	}
	for (uint32_t small = (uint32_t)value; small; small /= 100) {
		if (small < 10) {
			*--at = (char)('0' + small);
			break;
		}
		at -= 2;
		memcpy(at, digit_pair(small % 100), 2);
	}
	n = (size_t)(digits + sizeof(digits) - at);
	memcpy(p, at, n);
	return p + n;
}

static inline char *put_i64(char *p, int64_t value)
{
	if (value >= 0)
		return put_u64(p, (uint64_t)value);
	*p = '-';
	return put_u64(p + 1, 0 - (uint64_t)value);
}
