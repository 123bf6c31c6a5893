// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

bool buf_reserve_slow(struct buf *b, size_t n)
{
	size_t want, room = b->room ? b->room : 64;

	if (n > b->max - b->len) {
		b->failed = true;
		return false;
	}
	want = b->len + n + 1;
	while (room < want)
		room *= 2;
	if (room - 1 > b->max) /* so that room alone tells buf_reserve() what fits */
		room = b->max + 1;
	b->data = xrealloc(b->data, room, 1);
	b->room = room;
	return true;
}

void buf_str(struct buf *b, const char *s)
{
	if (s)
		buf_add(b, s, strlen(s));
}

void buf_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t value)
{
	if (value < 0)
		buf_char(b, '-');
	buf_u64(b, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0 || !buf_reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
	if (!b->data)
		return "";
	b->data[b->len] = '\0';
	return b->data;
}

int buf_read_fd(struct buf *b, int fd)
{
	for (;;) {
		size_t want = b->max - b->len < 4096 ? b->max - b->len : 4096;
		char last;
		ssize_t n;

		if (!want) { /* full: is there more? */
			n = read(fd, &last, 1);
			if (n < 0 && errno == EINTR)
				continue;
			return n < 0 ? -errno : n ? -EFBIG : 0;
		}
		if (!buf_reserve(b, want))
			return -EFBIG;
		n = read(fd, b->data + b->len, want);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n) {
			buf_cstr(b);
			return 0;
		}
		b->len += (size_t)n;
	}
}

int buf_read_file(struct buf *b, int dir_fd, const char *path)
{
	_cleanup_(closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : buf_read_fd(b, fd);
}
