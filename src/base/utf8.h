/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from outside as characters: decoding UTF-8 strictly, the columns that a character takes on
 * a terminal, and escaping what must not reach one. Needs no locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * Decodes the character at s. Returns its length in bytes (1 to 4), or 0 where s does not start
 * with a well-formed one (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret);

size_t utf8_put(uint32_t c, char ret[4]); /* c is valid; returns the bytes written */

/* Columns on a terminal: 0 for combining marks, 2 for wide characters, else 1. */
unsigned int utf8_width(uint32_t c);

/*
 * Characters that steer instead of showing: C0 and C1 controls, DEL, bidirectional overrides,
 * invisible and line separators. They are never printed raw, in no output format.
 */
bool utf8_steers(uint32_t c);

/*
 * Appends bytes as a terminal may show them: steering characters and malformed bytes come out as
 * \n, \t, \x1b, \u202e. Backslashes stay as they are.
 */
void escape_text(struct buf *out, const char *bytes, size_t len);

/* Columns of a text that escape_text() made. */
size_t text_width(const char *s, size_t len);
