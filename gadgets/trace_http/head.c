// SPDX-License-Identifier: Apache-2.0
#include "head.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* The next line, without its end. */
static bool take_line(struct head_text *in, struct head_text *ret)
{
	const char *end = in->n ? memchr(in->bytes, '\n', in->n) : NULL;

	if (!in->n)
		return false;
	*ret = (struct head_text){in->bytes, end ? (size_t)(end - in->bytes) : in->n, !end};
	in->bytes += ret->n + !!end;
	in->n -= ret->n + !!end;
	if (ret->n && ret->bytes[ret->n - 1] == '\r')
		ret->n--;
	return true;
}

/* Up to the blank at `end`, and what stands behind it. */
static struct head_text split(struct head_text *rest, const char *end)
{
	struct head_text first = *rest;

	if (!end) {
		*rest = (struct head_text){0};
		return first;
	}
	first.n = (size_t)(end - first.bytes);
	first.cut = false;
	rest->bytes = end + 1;
	rest->n -= first.n + 1;
	return first;
}

static const char *first_blank(const struct head_text *t)
{
	return t->n ? memchr(t->bytes, ' ', t->n) : NULL;
}

/* Of a line that was cut, none is the last one. */
static const char *last_blank(const struct head_text *t)
{
	return t->n && !t->cut ? memrchr(t->bytes, ' ', t->n) : NULL;
}

static void keep_header(struct head_text line, struct http_head *h)
{
	const struct {
		const char *name;
		struct head_text *to;
	} headers[] = {{"host", &h->host},
		       {"content-type", &h->content_type},
		       {"content-length", &h->content_length}};
	const char *colon = line.n ? memchr(line.bytes, ':', line.n) : NULL;
	struct head_text name;

	if (!colon)
		return;
	name = split(&line, colon);
	while (line.n && (*line.bytes == ' ' || *line.bytes == '\t')) {
		line.bytes++;
		line.n--;
	}
	while (line.n && (line.bytes[line.n - 1] == ' ' || line.bytes[line.n - 1] == '\t'))
		line.n--;
	for (size_t i = 0; i < array_size(headers); i++)
		if (name.n == strlen(headers[i].name) && !headers[i].to->bytes &&
		    !strncasecmp(name.bytes, headers[i].name, name.n))
			*headers[i].to = line;
}

static void read_headers(struct head_text in, struct http_head *h)
{
	struct head_text line;

	while (take_line(&in, &line) && line.n)
		keep_header(line, h);
}

void head_read_request(const char *bytes, size_t n, struct http_head *ret)
{
	struct head_text in = {bytes, n, false}, line;

	*ret = (struct http_head){0};
	if (!take_line(&in, &line))
		return;
	ret->first[0] = split(&line, first_blank(&line));
	ret->first[1] = split(&line, last_blank(&line));
	ret->first[2] = line;
	read_headers(in, ret);
}

void head_read_answer(const char *bytes, size_t n, struct http_head *ret)
{
	struct head_text in = {bytes, n, false}, line;

	*ret = (struct http_head){0};
	if (!take_line(&in, &line))
		return;
	ret->first[0] = split(&line, first_blank(&line));
	ret->first[1] = split(&line, first_blank(&line));
	ret->first[2] = line;
	read_headers(in, ret);
}
