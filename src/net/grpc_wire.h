/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gRPC writes into HTTP/2, for either side of a call. Source of the formats:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define GRPC_PREFIX_BYTES 5 /* of a message: u8 compressed, big-endian u32 length */
#define GRPC_TIMEOUT_BYTES 10

void grpc_put_prefix(uint8_t ret[GRPC_PREFIX_BYTES], uint32_t len);

/* The value of grpc-timeout: at most eight digits and a unit, rounded up ("100m" for 100 ms). */
void grpc_put_timeout(uint64_t ns, char ret[GRPC_TIMEOUT_BYTES]);

int grpc_parse_timeout(const char *s, size_t len, uint64_t *ret_ns); /* -EINVAL; at most 146 years */

/* application/grpc, application/grpc+proto, application/grpc;… but not …/grpc-web */
bool grpc_is_content_type(const char *s, size_t len);

/* grpc-message is percent-encoded; what is no good escape stands for itself. */
void grpc_percent_decode(const char *s, size_t len, struct buf *out);
void grpc_percent_encode(const char *s, size_t len, struct buf *out);

/*
 * Messages out of a stream of bytes. Life: grpc_frames_init(), grpc_frames_feed() until all bytes
 * are taken; grpc_frames_done().
 */
struct grpc_frames {
	uint8_t prefix[GRPC_PREFIX_BYTES];
	size_t n_prefix;    /* bytes of it that came */
	size_t left;	    /* of the message */
	struct buf message; /* valid after 1 was returned, until the next call */
};

void grpc_frames_init(struct grpc_frames *f, size_t max_message);
void grpc_frames_done(struct grpc_frames *f);

/*
 * Takes bytes up to the end of a message and moves *bytes and *n behind them. 1: a message is
 * whole; 0: all was taken and more must come; -EMSGSIZE: longer than allowed; -EBADMSG: compressed,
 * though nobody said that we could read that.
 */
int grpc_frames_feed(struct grpc_frames *f, const uint8_t **bytes, size_t *n);
bool grpc_frames_between(const struct grpc_frames *f); /* no message has begun and not ended */
