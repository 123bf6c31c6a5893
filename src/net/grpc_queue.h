/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of one side of a call on their way into its stream: bytes with prefixes, which nghttp2
 * fetches as the peer's windows allow.
 *
 * Life: grpc_queue_init(), grpc_queue_put() and at last grpc_queue_close(), each followed by
 * grpc_queue_resume() where the stream is open already; grpc_queue_done().
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct grpc_queue {
	struct buf bytes;
	size_t taken;  /* of them */
	bool closed;   /* no more will be put */
	bool deferred; /* nghttp2 asked and there was nothing */
};

void grpc_queue_init(struct grpc_queue *q);
void grpc_queue_done(struct grpc_queue *q);

void grpc_queue_put(struct grpc_queue *q, const void *message, size_t len); /* copies it */
void grpc_queue_close(struct grpc_queue *q);
void grpc_queue_drop(struct grpc_queue *q);	    /* all that nghttp2 did not fetch */
size_t grpc_queue_left(const struct grpc_queue *q); /* bytes, prefixes included */

/* For an nghttp2_data_source_read_callback: what it returns, and the end in *flags. */
ssize_t grpc_queue_read(struct grpc_queue *q, uint8_t *to, size_t room, uint32_t *flags);

void grpc_queue_resume(struct grpc_queue *q, nghttp2_session *session, int32_t stream);
