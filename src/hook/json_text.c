// SPDX-License-Identifier: Apache-2.0
#include "hook/json_text.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

struct scan {
	const char *text;
	size_t at, len;
};

static char peek(const struct scan *s)
{
	return s->at < s->len ? s->text[s->at] : '\0';
}

static void skip_space(struct scan *s)
{
	while (s->at < s->len && strchr(" \t\r\n", s->text[s->at]) && s->text[s->at])
		s->at++;
}

static bool skip_char(struct scan *s, char c)
{
	skip_space(s);
	if (peek(s) != c)
		return false;
	s->at++;
	return true;
}

static bool skip_string(struct scan *s)
{
	if (!skip_char(s, '"'))
		return false;
	for (; s->at < s->len && (unsigned char)s->text[s->at] >= ' '; s->at++) {
		if (s->text[s->at] == '"') {
			s->at++;
			return true;
		}
		if (s->text[s->at] == '\\')
			s->at++;
	}
	return false;
}

/* A number, or true, false, null; what exactly is for others to check. */
static bool skip_word(struct scan *s)
{
	size_t begin = s->at;

	while (s->at < s->len && s->text[s->at] && !strchr(" \t\r\n,:]}[{\"", s->text[s->at]))
		s->at++;
	return s->at > begin;
}

static bool skip_value(struct scan *s, unsigned int depth);

static bool skip_items(struct scan *s, bool is_object, unsigned int depth)
{
	char end = is_object ? '}' : ']';

	s->at++;
	if (skip_char(s, end))
		return true;
	do {
		if (is_object && !(skip_string(s) && skip_char(s, ':')))
			return false;
		if (!skip_value(s, depth))
			return false;
	} while (skip_char(s, ','));
	return skip_char(s, end);
}

static bool skip_value(struct scan *s, unsigned int depth)
{
	skip_space(s);
	if (peek(s) == '"')
		return skip_string(s);
	if (peek(s) == '{' || peek(s) == '[')
		return depth < MAX_JSON_DEPTH && skip_items(s, peek(s) == '{', depth + 1);
	return skip_word(s);
}

bool json_text_object(const char *text, size_t len, size_t *ret)
{
	struct scan s = {text, 0, len};

	skip_space(&s);
	*ret = s.at;
	if (peek(&s) != '{' || !skip_value(&s, 0))
		return false;
	skip_space(&s);
	return s.at == len;
}

bool json_text_member(const char *text, size_t object, const char *key, struct json_member *ret)
{
	struct scan s = {text, object, strlen(text)};
	bool found = false;

	if (!skip_char(&s, '{'))
		return false;
	do {
		struct json_member m;
		size_t len;

		skip_space(&s);
		m.key = s.at;
		if (!skip_string(&s))
			break;
		len = s.at - m.key - 2;
		skip_char(&s, ':');
		skip_space(&s);
		m.value = s.at;
		if (!skip_value(&s, 0))
			break;
		m.end = s.at;
		if (len == strlen(key) && !memcmp(text + m.key + 1, key, len)) {
			*ret = m;
			found = true;
		}
	} while (skip_char(&s, ','));
	return found;
}

bool json_text_is_empty(const char *text, size_t place)
{
	struct scan s = {text, place + 1, strlen(text)};

	skip_space(&s);
	return peek(&s) == '}' || peek(&s) == ']';
}

void json_text_insert(const char *text, size_t len, size_t place, const char *item, struct buf *ret)
{
	buf_add(ret, text, place + 1);
	buf_str(ret, item);
	if (!json_text_is_empty(text, place))
		buf_char(ret, ',');
	buf_add(ret, text + place + 1, len - place - 1);
}
