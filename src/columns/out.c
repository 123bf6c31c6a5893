// SPDX-License-Identifier: Apache-2.0
#include "columns/out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

void out_init(struct out *o, int fd)
{
	*o = (struct out){.fd = fd};
	buf_init(&o->buf, MAX_HELD_BYTES);
}

void out_done(struct out *o)
{
	buf_done(&o->buf);
	free(o->row_ends);
}

void out_row_end(struct out *o)
{
	*grow(&o->row_ends, &o->n_rows, &o->room_rows) = (uint32_t)o->buf.len;
}

/*
 * In a hurry, a reader that makes no room for so long is taken for gone. A write as small as this
 * never blocks once poll() saw room.
 */
enum { PATIENCE_MS = 2000, SMALL_WRITE = PIPE_BUF };

/* True: there is room, or the next write tells why not. */
static bool wait_for_room(struct out *o)
{
	struct pollfd wait = {.fd = o->fd, .events = POLLOUT};
	int n = poll(&wait, 1, o->hurry ? PATIENCE_MS : -1);

	if (n < 0)
		o->hurry = true;
	return n;
}

/* A blocking descriptor takes all, unless a signal came. */
static bool was_interrupted(const struct out *o, size_t asked, ssize_t written)
{
	if (written < 0)
		return errno == EINTR;
	return (size_t)written < asked && !(fcntl(o->fd, F_GETFL) & O_NONBLOCK);
}

/* Returns the bytes written or -errno. */
static ssize_t write_some(struct out *o, size_t at)
{
	for (;;) {
		size_t bytes = o->buf.len - at;
		ssize_t n;

		if (o->hurry && !wait_for_room(o))
			return -EPIPE;
		if (o->hurry && bytes > SMALL_WRITE)
			bytes = SMALL_WRITE;
		n = write(o->fd, o->buf.data + at, bytes);
		if (was_interrupted(o, bytes, n))
			o->hurry = true;
		if (n >= 0)
			return n;
		if (errno == EAGAIN) /* whoever shares this descriptor made it non-blocking */
			wait_for_room(o);
		else if (errno != EINTR)
			return -errno;
	}
}

int out_flush(struct out *o)
{
	size_t at = 0;

	while (!o->error && at < o->buf.len) {
		ssize_t n = write_some(o, at);

		if (n < 0)
			o->error = (int)n;
		else
			at += (size_t)n;
	}
	if (o->error) { /* a row counts as written when its last byte is */
		for (size_t i = o->n_rows; i && o->row_ends[i - 1] > at; i--)
			o->unwritten++;
	}
	o->n_rows = 0;
	buf_clear(&o->buf);
	return o->error;
}
