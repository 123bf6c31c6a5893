// SPDX-License-Identifier: Apache-2.0
#include "hook/toml.h"

#include <string.h>

#include "base/mem.h"

static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

static void key_clear(struct toml_key *k, size_t from)
{
	while (k->n > from)
		free(k->parts[--k->n]);
}

size_t toml_common(const struct toml_key *a, const struct toml_key *b)
{
	size_t n = 0;

	while (n < a->n && n < b->n && !strcmp(a->parts[n], b->parts[n]))
		n++;
	return n;
}

void toml_init(struct toml *t, const char *text, size_t len)
{
	*t = (struct toml){.at = text, .end = text + len};
}

void toml_done(struct toml *t)
{
	key_clear(&t->table, 0);
	key_clear(&t->key, 0);
}

/* ---- within a line --------------------------------------------------------------- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* Behind a string's closing quote; NULL: it has none in this line. */
static const char *skip_quoted(const char *p, const char *end)
{
	char quote = *p++;

	for (; p < end && *p != '\n'; p++) {
		if (*p == quote)
			return p + 1;
		if (*p == '\\' && quote == '"')
			p++;
	}
	return NULL;
}

/* Appends a dotted key to *ret; NULL where it is none, or has too many parts. */
static const char *read_key(const char *p, const char *end, struct toml_key *ret)
{
	for (;;) {
		const char *begin = p = skip_space(p), *last;

		if (*p == '"' || *p == '\'') {
			begin++;
			p = skip_quoted(p, end);
			last = p ? p - 1 : NULL;
		} else {
			last = p += strspn(p, bare);
		}
		if (!p || last == begin || ret->n == TOML_DEPTH)
			return NULL;
		ret->parts[ret->n++] = xstrndup(begin, (size_t)(last - begin));
		p = skip_space(p);
		if (*p != '.')
			return p;
		p++;
	}
}

/* Counts brackets of arrays from p to the line's end. False: a text goes on in the next line. */
static bool count_brackets(struct toml *t, const char *p, const char *end)
{
	while (p < end && *p != '\n' && *p != '#') {
		if (!strncmp(p, "\"\"\"", 3) || !strncmp(p, "'''", 3))
			return false;
		if (*p == '"' || *p == '\'') {
			p = skip_quoted(p, end);
			if (!p)
				return false;
			continue;
		}
		t->open += (*p == '[') - (*p == ']');
		p++;
	}
	return t->open >= 0;
}

static bool is_end(const char *p)
{
	p = skip_space(p);
	p += *p == '\r';
	return !*p || *p == '\n' || *p == '#';
}

/* ---- lines ----------------------------------------------------------------------- */

static enum toml_line read_table(struct toml *t, const char *p)
{
	bool is_array = p[1] == '[';

	key_clear(&t->table, 0);
	p = read_key(p + 1 + is_array, t->at, &t->table);
	if (!p || *p != ']' || (is_array && p[1] != ']') || !is_end(p + 1 + is_array))
		return TOML_BAD;
	return TOML_TABLE;
}

static enum toml_line read_value(struct toml *t, const char *p)
{
	key_clear(&t->key, 0);
	for (size_t i = 0; i < t->table.n; i++)
		t->key.parts[t->key.n++] = xstrdup(t->table.parts[i]);
	p = read_key(p, t->at, &t->key);
	if (!p || *p != '=')
		return TOML_BAD;
	t->value = skip_space(p + 1);
	return count_brackets(t, t->value, t->at) ? TOML_VALUE : TOML_BAD;
}

bool toml_next(struct toml *t, enum toml_line *ret)
{
	const char *newline, *p;

	if (t->at == t->end)
		return false;
	newline = memchr(t->at, '\n', (size_t)(t->end - t->at));
	t->line = t->at;
	t->at = newline ? newline + 1 : t->end;
	t->line_len = (size_t)(t->at - t->line);
	p = skip_space(t->line);
	if (t->open)
		*ret = count_brackets(t, p, t->at) ? TOML_OTHER : TOML_BAD;
	else if (is_end(p))
		*ret = TOML_OTHER;
	else
		*ret = *p == '[' ? read_table(t, p) : read_value(t, p);
	return true;
}

char *toml_string(const struct toml *t)
{
	const char *end =
		*t->value == '"' || *t->value == '\'' ? skip_quoted(t->value, t->at) : NULL;

	return end && is_end(end) ? xstrndup(t->value + 1, (size_t)(end - t->value - 2)) : NULL;
}
