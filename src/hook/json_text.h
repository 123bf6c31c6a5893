/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Editing JSON as text (RFC 8259): what is not touched stays as it was written, whatever numbers
 * and spaces are in it. Places are offsets into the text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Whether the text is one JSON value, and an object; *ret is the place of its brace. */
bool json_text_object(const char *text, size_t len, size_t *ret);

struct json_member {
	size_t key, value, end; /* of the key's quote, of the value, and behind that */
};

/*
 * The member `key` of the object at `object`, in a text that json_text_object() has taken; the last
 * one where there are several. Keys are compared as they are written.
 */
bool json_text_member(const char *text, size_t object, const char *key, struct json_member *ret);

/* True where the object or array at `place` has nothing in it. */
bool json_text_is_empty(const char *text, size_t place);

/* The text with `item` as the first of the object or array at `place`. */
void json_text_insert(const char *text, size_t len, size_t place, const char *item,
		      struct buf *ret);
