// SPDX-License-Identifier: Apache-2.0
/* The parser of answers; see http1.h. Grammar and names are those of RFC 9112. */
#include "net/http1.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"

void http1_init(struct http1 *p, size_t max_body)
{
	*p = (struct http1){.state = HTTP1_STATUS_LINE};
	buf_init(&p->body, max_body);
	buf_init(&p->line, MAX_HTTP_HEADER_BYTES);
}

void http1_done(struct http1 *p)
{
	buf_done(&p->body);
	buf_done(&p->line);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A token of RFC 9110, as header names and transfer codings are. */
static size_t token_length(const char *s)
{
	return strspn(s, "!#$%&'*+-.^_`|~0123456789"
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Digits of a base, up to 2^63 so that sums cannot wrap. The number of digits, 0: none or too big.
 */
static size_t parse_number(const char *s, unsigned int base, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;
	size_t n = 0;

	for (const char *d; s[n]; n++) {
		char c = s[n] >= 'A' && s[n] <= 'F' ? (char)(s[n] | 0x20) : s[n];

		d = memchr(digits, c, base);
		if (!d)
			break;
		if (value >> 58)
			return 0;
		value = value * base + (uint64_t)(d - digits);
	}
	*ret = value;
	return n;
}

/* ---- lines ----------------------------------------------------------------------- */

static int parse_status_line(struct http1 *p, const char *s, struct err *err)
{
	/* HTTP/1.1 200 OK; the reason and its space are often left out. */
	if (strncmp(s, "HTTP/1.", 7) || !is_digit(s[7]) || s[8] != ' ' || !is_digit(s[9]) ||
	    !is_digit(s[10]) || !is_digit(s[11]) || (s[12] && s[12] != ' '))
		return err_set(err, -EBADMSG, "the answer is not HTTP/1.1");
	p->status = (unsigned int)((s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0'));
	if (p->status < 100 || p->status > 599 || (p->status == 101 && !p->upgrades))
		return err_set(err, -EBADMSG, "HTTP status %u was not expected", p->status);
	p->state = HTTP1_HEADER;
	return 0;
}

static int parse_length(struct http1 *p, const char *value, struct err *err)
{
	uint64_t length;
	size_t n = parse_number(value, 10, &length);

	if (!n || value[n] || (p->has_length && length != p->left))
		return err_set(err, -EBADMSG, "HTTP header Content-Length is broken");
	p->has_length = true;
	p->left = length;
	return 0;
}

static int parse_header(struct http1 *p, char *s, size_t len, struct err *err)
{
	size_t name = token_length(s);
	char *value = s + name + 1;

	if (!name || s[name] != ':' || ++p->n_headers > MAX_HTTP_HEADERS)
		return err_set(err, -EBADMSG, "the answer's HTTP headers are %s",
			       p->n_headers > MAX_HTTP_HEADERS ? "too many" : "broken");
	s[name] = '\0';
	value += strspn(value, " \t");
	while (len > name + 1 && strchr(" \t", s[len - 1]))
		s[--len] = '\0';
	if (p->on_header)
		p->on_header(p->ctx, s, value);
	if (!strcasecmp(s, "Content-Length"))
		return parse_length(p, value, err);
	if (strcasecmp(s, "Transfer-Encoding"))
		return 0;
	if (p->chunked || strcasecmp(value, "chunked"))
		return err_set(err, -EBADMSG, "HTTP transfer coding '%.100s' is not known", value);
	p->chunked = true;
	return 0;
}

/* The empty line: what follows is told by the headers (RFC 9112, 6.3). */
static int end_headers(struct http1 *p, struct err *err)
{
	/* Both at once is how requests are smuggled; no honest server sends it. */
	if (p->chunked && p->has_length)
		return err_set(err, -EBADMSG, "the answer's length is told twice");
	if (p->status == 101) {
		p->state = HTTP1_COMPLETE;
		return 0;
	}
	if (p->status < 200) { /* an interim answer: the real one follows */
		if (p->chunked || p->has_length)
			return err_set(err, -EBADMSG, "an interim HTTP answer has a body");
		p->state = HTTP1_STATUS_LINE;
		return 0;
	}
	if (p->status == 204 || p->status == 304)
		p->state = HTTP1_COMPLETE;
	else if (p->chunked)
		p->state = HTTP1_CHUNK_SIZE;
	else if (!p->has_length)
		p->state = HTTP1_UNTIL_CLOSE;
	else if (p->left > p->body.max)
		return err_set(err, -EMSGSIZE,
			       "the answer has %llu bytes, more than the %zu allowed",
			       (unsigned long long)p->left, p->body.max);
	else
		p->state = p->left ? HTTP1_LENGTH : HTTP1_COMPLETE;
	return 0;
}

static int parse_chunk_size(struct http1 *p, const char *s, struct err *err)
{
	size_t n = parse_number(s, 16, &p->left);

	/* Extensions (";name=value") are allowed and mean nothing to us. */
	if (!n || (s[n] && !strchr("; \t", s[n])))
		return err_set(err, -EBADMSG, "the size of an HTTP chunk is broken");
	if (p->left > p->body.max - p->body.len)
		return err_set(err, -EMSGSIZE, "the answer has more than the %zu bytes allowed",
			       p->body.max);
	p->state = p->left ? HTTP1_CHUNK : HTTP1_TRAILER;
	return 0;
}

static int parse_line(struct http1 *p, char *s, size_t len, struct err *err)
{
	switch (p->state) {
	case HTTP1_STATUS_LINE:
		return parse_status_line(p, s, err);
	case HTTP1_HEADER:
		return len ? parse_header(p, s, len, err) : end_headers(p, err);
	case HTTP1_CHUNK_SIZE:
		return parse_chunk_size(p, s, err);
	case HTTP1_CHUNK_END:
		if (len)
			return err_set(err, -EBADMSG, "an HTTP chunk is longer than its size");
		p->state = HTTP1_CHUNK_SIZE;
		return 0;
	default: /* HTTP1_TRAILER: nothing in it matters to us */
		if (!len)
			p->state = HTTP1_COMPLETE;
		return 0;
	}
}

/* Takes bytes up to the end of a line; the line is parsed when it is whole. */
static int feed_line(struct http1 *p, const char **bytes, size_t *n, struct err *err)
{
	const char *newline = memchr(*bytes, '\n', *n);
	size_t used = newline ? (size_t)(newline - *bytes) + 1 : *n;
	bool is_header = p->state != HTTP1_CHUNK_SIZE && p->state != HTTP1_CHUNK_END;
	struct buf *line = &p->line;
	int r;

	buf_add(line, *bytes, used);
	*bytes += used;
	*n -= used;
	p->header_bytes += is_header ? used : 0;
	if (line->failed || p->header_bytes > MAX_HTTP_HEADER_BYTES)
		return err_set(err, -EBADMSG, "the answer's HTTP headers are longer than %d bytes",
			       MAX_HTTP_HEADER_BYTES);
	if (!newline)
		return 0;
	line->len -= line->len > 1 && line->data[line->len - 2] == '\r' ? 2 : 1;
	line->data[line->len] = '\0';
	if (memchr(line->data, '\0', line->len) || memchr(line->data, '\r', line->len))
		return err_set(err, -EBADMSG, "the answer's HTTP headers hold control characters");
	r = parse_line(p, line->data, line->len, err);
	buf_clear(line);
	return r;
}

/* ---- bodies ---------------------------------------------------------------------- */

static int feed_body(struct http1 *p, const char **bytes, size_t *n, struct err *err)
{
	size_t used = p->state != HTTP1_UNTIL_CLOSE && p->left < *n ? p->left : *n;

	buf_add(&p->body, *bytes, used);
	if (p->body.failed)
		return err_set(err, -EMSGSIZE, "the answer has more than the %zu bytes allowed",
			       p->body.max);
	*bytes += used;
	*n -= used;
	if (p->state == HTTP1_UNTIL_CLOSE)
		return 0;
	p->left -= used;
	if (!p->left)
		p->state = p->state == HTTP1_CHUNK ? HTTP1_CHUNK_END : HTTP1_COMPLETE;
	return 0;
}

int http1_feed(struct http1 *p, const char *bytes, size_t n, struct err *err)
{
	int r = 0;

	while (!r && n && p->state != HTTP1_COMPLETE) {
		switch (p->state) {
		case HTTP1_CHUNK:
		case HTTP1_LENGTH:
		case HTTP1_UNTIL_CLOSE:
			r = feed_body(p, &bytes, &n, err);
			break;
		default:
			r = feed_line(p, &bytes, &n, err);
			break;
		}
	}
	p->rest = n;
	return r ? r : p->state == HTTP1_COMPLETE;
}

int http1_end(struct http1 *p, struct err *err)
{
	if (p->state == HTTP1_UNTIL_CLOSE)
		p->state = HTTP1_COMPLETE;
	if (p->state == HTTP1_COMPLETE)
		return 0;
	if (p->state == HTTP1_STATUS_LINE && !p->line.len)
		return err_set(err, -ECONNRESET, "the connection was closed without an answer");
	return err_set(err, -ECONNRESET, "the connection was closed within the answer");
}
