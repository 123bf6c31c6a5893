// SPDX-License-Identifier: Apache-2.0
#include "columns/restyle.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static void new_line(struct buf *out, size_t level)
{
	buf_char(out, '\n');
	for (size_t i = 0; i < level; i++)
		buf_str(out, "  ");
}

/* Bytes of the string that starts at json, quotes included. */
static size_t string_len(const char *json, size_t len)
{
	size_t i = 1;

	while (i < len && json[i] != '"')
		i += json[i] == '\\' ? 2 : 1;
	return i < len ? i + 1 : len;
}

void json_indent(const char *json, size_t len, struct buf *out)
{
	size_t level = 0;

	for (size_t i = 0; i < len;) {
		bool empty = i + 1 < len && (json[i + 1] == '}' || json[i + 1] == ']');
		size_t n = json[i] == '"' ? string_len(json + i, len - i) : 1;

		if (json[i] == '}' || json[i] == ']')
			new_line(out, --level);
		buf_add(out, json + i, n);
		if ((json[i] == '{' || json[i] == '[') && empty) {
			buf_char(out, json[i + 1]);
			n++;
		} else if (json[i] == '{' || json[i] == '[') {
			new_line(out, ++level);
		} else if (json[i] == ',') {
			new_line(out, level);
		} else if (json[i] == ':') {
			buf_char(out, ' ');
		}
		i += n;
	}
	buf_char(out, '\n');
}

/* ---- YAML ---------------------------------------------------------------------------------- */

enum { MAX_SIMPLE_KEY = 1000 }; /* YAML allows 1024 characters before the colon */

/* Words that YAML 1.1 or 1.2 readers take for something other than text. */
static bool is_reserved(const char *s, size_t len)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};

	for (size_t i = 0; i < array_size(words); i++)
		if (strlen(words[i]) == len && !strncasecmp(s, words[i], len))
			return true;
	return false;
}

/* Texts that mean themselves without quotes. All others keep JSON's, which YAML reads the same. */
static bool is_plain(const char *s, size_t len)
{
	if (!len || !(isalpha((unsigned char)*s) || *s == '/' || *s == '_') || is_reserved(s, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("/_.-+", s[i]))
			return false;
	return true;
}

static void add_scalar(struct buf *out, const char *json, size_t len)
{
	if (*json == '"' && is_plain(json + 1, len - 2))
		buf_add(out, json + 1, len - 2);
	else
		buf_add(out, json, len);
}

static size_t scalar_len(const char *json, size_t len)
{
	size_t n = 0;

	if (*json == '"')
		return string_len(json, len);
	while (n < len && !strchr(",:]}", json[n]))
		n++;
	return n;
}

void json_to_yaml(const char *json, size_t len, struct buf *out)
{
	size_t level = 0;
	bool in_list = false; /* lists hold only scalars and are not nested */
	bool long_key = false;

	buf_str(out, "---");
	for (size_t i = 0; i < len;) {
		bool empty = i + 1 < len && (json[i + 1] == '}' || json[i + 1] == ']');
		size_t n = 1;

		switch (json[i]) {
		case '{':
		case '[':
			if (empty) {
				buf_add(out, level ? " " : "\n", 1);
				buf_add(out, json + i, 2);
				i += 2;
				continue;
			}
			in_list = json[i] == '[';
			new_line(out, level++);
			break;
		case '}':
		case ']':
			level--;
			in_list = false;
			break;
		case ',':
			new_line(out, level - 1);
			break;
		case ':':
			if (long_key)
				new_line(out, level - 1);
			long_key = false;
			buf_char(out, ':');
			if (json[i + 1] != '{' && json[i + 1] != '[')
				buf_char(out, ' ');
			break;
		default:
			n = scalar_len(json + i, len - i);
			long_key = n > MAX_SIMPLE_KEY && i + n < len && json[i + n] == ':';
			if (in_list)
				buf_str(out, "- ");
			else if (long_key)
				buf_str(out, "? ");
			add_scalar(out, json + i, n);
		}
		i += n;
	}
	buf_char(out, '\n');
}
