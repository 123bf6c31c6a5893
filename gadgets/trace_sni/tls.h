/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS ClientHello (RFC 8446, section 4.1.2) from whoever sent it, in one pass within its bounds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* `bytes`: n bytes that come after each other; what is read moves them on. */
struct tls_bytes {
	const uint8_t *bytes;
	size_t n;
};

struct tls_hello {
	uint16_t version;	   /* of the old field: 3.3 from TLS 1.2 on */
	uint32_t ciphers;	   /* how many */
	struct tls_bytes name;	   /* its host name; n is 0: none */
	struct tls_bytes alpn;	   /* names, each behind a byte with its length */
	struct tls_bytes versions; /* two bytes each; n is 0: only `version` */
	bool ech;
};

/* The payload of the records in `n` bytes, behind each other; false: some are no handshake's. */
bool tls_unwrap(const void *bytes, size_t n, struct buf *out);

/* Of what tls_unwrap() gave; what it points to lies there. False: it ends early or is not right. */
bool tls_hello(const void *bytes, size_t n, struct tls_hello *ret);

/* True while there is another one. */
bool tls_next_name(struct tls_bytes *list, struct tls_bytes *ret);
bool tls_next_version(struct tls_bytes *list, uint16_t *ret);

/* Values that clients send to keep servers from being picky (RFC 8701). */
bool tls_is_grease(uint16_t value);
