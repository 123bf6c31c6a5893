// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 8192 };

enum log_level log_level = LOG_WARN;

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

int log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < array_size(level_names); i++)
		if (!strcmp(name, level_names[i])) {
			*ret = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

/* A logfmt value: in quotes where it has spaces, quotes or '='. */
static void add_value(struct buf *line, const char *text, size_t len)
{
	_cleanup_(buf_done) struct buf shown = {.max = LINE_MAX_BYTES};
	const char *s;

	escape_text(&shown, text, len);
	s = buf_cstr(&shown);
	if (*s && !strpbrk(s, " \"=\\")) {
		buf_str(line, s);
		return;
	}
	buf_char(line, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_char(line, '\\');
		buf_char(line, *s);
	}
	buf_char(line, '"');
}

void log_line(enum log_level level, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf line = {.max = 2 * LINE_MAX_BYTES};
	char text[2048]; /* a longer message is cut */
	va_list ap;
	int n;

	if (level > log_level)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_str(&line, "level=");
	buf_str(&line, level_names[level]);
	buf_str(&line, " msg=");
	add_value(&line, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	buf_char(&line, '\n');
	for (size_t at = 0; at < line.len;) { /* one write, so that lines of processes do not mix */
		ssize_t w = write(STDERR_FILENO, line.data + at, line.len - at);

		if (w < 0 && errno != EINTR)
			return;
		at += w > 0 ? (size_t)w : 0;
	}
}
