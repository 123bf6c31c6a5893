// SPDX-License-Identifier: Apache-2.0
#include "net/grpc_queue.h"

#include "net/grpc_wire.h"

#define KEPT_BYTES 4096 /* of an empty queue's memory */

void grpc_queue_init(struct grpc_queue *q)
{
	*q = (struct grpc_queue){0};
	buf_init(&q->bytes, SIZE_MAX / 2); /* what may wait is the sender's decision */
}

void grpc_queue_done(struct grpc_queue *q)
{
	buf_done(&q->bytes);
}

/* So seldom that each byte is moved once. */
static void drop_taken(struct grpc_queue *q)
{
	size_t left = grpc_queue_left(q);

	if (q->taken <= left)
		return;
	memmove(q->bytes.data, q->bytes.data + q->taken, left);
	q->bytes.len = left;
	q->taken = 0;
}

void grpc_queue_put(struct grpc_queue *q, const void *message, size_t len)
{
	uint8_t prefix[GRPC_PREFIX_BYTES];

	drop_taken(q);
	grpc_put_prefix(prefix, (uint32_t)len);
	buf_add(&q->bytes, prefix, sizeof(prefix));
	buf_add(&q->bytes, message, len);
}

void grpc_queue_close(struct grpc_queue *q)
{
	q->closed = true;
}

void grpc_queue_drop(struct grpc_queue *q)
{
	q->taken = 0;
	if (q->bytes.room > KEPT_BYTES)
		buf_done(&q->bytes);
	else
		buf_clear(&q->bytes);
}

size_t grpc_queue_left(const struct grpc_queue *q)
{
	return q->bytes.len - q->taken;
}

ssize_t grpc_queue_read(struct grpc_queue *q, uint8_t *to, size_t room, uint32_t *flags)
{
	size_t left = grpc_queue_left(q), n = left < room ? left : room;

	q->deferred = !n && !q->closed;
	if (q->deferred)
		return NGHTTP2_ERR_DEFERRED;
	if (n)
		memcpy(to, q->bytes.data + q->taken, n);
	q->taken += n;
	if (n == left) {
		grpc_queue_drop(q);
		if (q->closed)
			*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	return (ssize_t)n;
}

void grpc_queue_resume(struct grpc_queue *q, nghttp2_session *session, int32_t stream)
{
	if (q->deferred)
		nghttp2_session_resume_data(session, stream);
	q->deferred = false;
}
