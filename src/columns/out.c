// SPDX-License-Identifier: Apache-2.0
#include "columns/out.h"

#include <errno.h>
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

/* Returns the bytes written or -errno. */
static ssize_t write_some(struct out *o, size_t at)
{
	for (;;) {
		struct pollfd wait = {.fd = o->fd, .events = POLLOUT};
		ssize_t n = write(o->fd, o->buf.data + at, o->buf.len - at);

		if (n >= 0)
			return n;
		if (errno == EAGAIN) /* whoever shares this descriptor made it non-blocking */
			poll(&wait, 1, -1);
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
