// SPDX-License-Identifier: Apache-2.0
#include "net/http_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

/* ---- forms (https://url.spec.whatwg.org/#application/x-www-form-urlencoded) -------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a NUL, or what is no escape, is in it. plus: it stands for a space. */
static char *decoded(const char *text, size_t n, bool plus)
{
	_cleanup_(freep) char *out = xrealloc(NULL, n + 1, 1);
	char *to = out;

	for (size_t i = 0; i < n; i++) {
		int high, low;

		*to = plus && text[i] == '+' ? ' ' : text[i];
		if (text[i] == '%') {
			high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
			low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			if (low < 0)
				return NULL;
			*to = (char)(high << 4 | low);
			i += 2;
		}
		if (!*to++)
			return NULL;
	}
	*to = '\0';
	return take(out);
}

static int add_parameter(struct http_request *q, const char *text, size_t n)
{
	const char *equals = memchr(text, '=', n);
	size_t name = equals ? (size_t)(equals - text) : n;
	struct http_parameter p = {.name = decoded(text, name, true)};

	p.value = equals ? decoded(equals + 1, n - name - 1, true) : xstrdup("");
	if (p.name && p.value) {
		*grow(&q->parameters, &q->n, &q->room) = p;
		return 0;
	}
	free(p.name);
	free(p.value);
	return -EBADMSG;
}

static int add_form(struct http_request *q, const char *text, size_t n)
{
	int r = 0;

	while (!r && n) {
		const char *end = memchr(text, '&', n);
		size_t length = end ? (size_t)(end - text) : n;

		if (length)
			r = q->n < MAX_HTTP_PARAMETERS ? add_parameter(q, text, length) : -EMSGSIZE;
		text += length + (end != NULL);
		n -= length + (end != NULL);
	}
	return r;
}

/* ---- the request ------------------------------------------------------------------ */

struct line {
	const char *text;
	size_t n;
};

/* The next line up to `end`; every line that is asked for has an end there. */
static struct line next_line(const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	struct line l = {*at, (size_t)(newline - *at)};

	*at = newline + 1;
	if (l.n && l.text[l.n - 1] == '\r')
		l.n--;
	return l;
}

/* "GET /dump?id=1 HTTP/1.1" */
static int read_request_line(struct http_request *q, struct line l)
{
	const char *target = memchr(l.text, ' ', l.n), *end, *question;
	size_t n;

	if (!target || target == l.text)
		return -EBADMSG;
	q->is_head = target - l.text == 4 && !memcmp(l.text, "HEAD", 4);
	target++;
	n = l.n - (size_t)(target - l.text);
	end = memchr(target, ' ', n);
	if (!end || *target != '/' || l.text + l.n - end != 9 || memcmp(end, " HTTP/1.", 8) != 0)
		return -EBADMSG;
	n = (size_t)(end - target);
	question = memchr(target, '?', n);
	q->path = decoded(target, question ? (size_t)(question - target) : n, false);
	if (!q->path)
		return -EBADMSG;
	return question ? add_form(q, question + 1, (size_t)(end - question - 1)) : 0;
}

/* The value of a header line of that name; NULL: it is another. */
static char *header_value(struct line l, const char *name)
{
	size_t n = strlen(name);

	if (l.n <= n || l.text[n] != ':' || strncasecmp(l.text, name, n) != 0)
		return NULL;
	n++;
	while (n < l.n && (l.text[n] == ' ' || l.text[n] == '\t'))
		n++;
	while (l.n > n && (l.text[l.n - 1] == ' ' || l.text[l.n - 1] == '\t'))
		l.n--;
	return xstrndup(l.text + n, l.n - n);
}

static int read_headers(const char *at, const char *end, uint64_t *ret_length)
{
	*ret_length = 0;
	while (at < end) {
		struct line l = next_line(&at, end);
		_cleanup_(freep) char *length = header_value(l, "Content-Length");
		_cleanup_(freep) char *coding = header_value(l, "Transfer-Encoding");

		if (coding || (length && parse_u64(length, ret_length)))
			return -EBADMSG;
	}
	return 0;
}

/* Behind the empty line; NULL: it has not come. */
static const char *end_of_head(const char *bytes, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (bytes[i] != '\n')
			continue;
		if (bytes[i - 1] == '\n' || (i > 2 && bytes[i - 1] == '\r' && bytes[i - 2] == '\n'))
			return bytes + i + 1;
	}
	return NULL;
}

static int read_whole(struct http_request *q, const char *bytes, const char *body, size_t n_body)
{
	const char *at = bytes;
	uint64_t length;
	int r = read_request_line(q, next_line(&at, body));

	r = r ?: read_headers(at, body, &length);
	if (r)
		return r;
	if (length > MAX_HTTP_REQUEST_BYTES)
		return -EMSGSIZE;
	return length > n_body ? 1 : add_form(q, body, length);
}

int http_request_read(const char *bytes, size_t n, struct http_request *ret)
{
	const char *body = end_of_head(bytes, n);
	struct http_request q = {0};
	int r;

	if (!body)
		return n < MAX_HTTP_REQUEST_BYTES ? 1 : -EMSGSIZE;
	r = read_whole(&q, bytes, body, n - (size_t)(body - bytes));
	if (r)
		http_request_done(&q);
	else
		*ret = q;
	return r;
}

void http_request_done(struct http_request *q)
{
	for (size_t i = 0; i < q->n; i++) {
		free(q->parameters[i].name);
		free(q->parameters[i].value);
	}
	free(q->parameters);
	free(q->path);
	*q = (struct http_request){0};
}

const char *http_parameter(const struct http_request *q, const char *name)
{
	for (size_t i = q->n; i--;)
		if (!strcmp(q->parameters[i].name, name))
			return q->parameters[i].value;
	return NULL;
}
