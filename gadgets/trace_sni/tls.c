// SPDX-License-Identifier: Apache-2.0
#include "tls.h"

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, RANDOM_BYTES = 32, HOST_NAME = 0 };
enum { SERVER_NAME = 0, ALPN = 16, SUPPORTED_VERSIONS = 43, ENCRYPTED_CLIENT_HELLO = 0xfe0d };

static bool number(struct tls_bytes *in, size_t size, uint32_t *ret)
{
	uint32_t value = 0;

	if (in->n < size)
		return false;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | in->bytes[i];
	in->bytes += size;
	in->n -= size;
	*ret = value;
	return true;
}

static bool take(struct tls_bytes *in, size_t n, struct tls_bytes *ret)
{
	if (in->n < n)
		return false;
	*ret = (struct tls_bytes){in->bytes, n};
	in->bytes += n;
	in->n -= n;
	return true;
}

/* Bytes behind a length of `size` bytes. */
static bool block(struct tls_bytes *in, size_t size, struct tls_bytes *ret)
{
	uint32_t n;

	return number(in, size, &n) && take(in, n, ret);
}

bool tls_unwrap(const void *bytes, size_t n, struct buf *out)
{
	struct tls_bytes in = {bytes, n}, payload;
	uint32_t type, version, length;

	while (in.n) {
		if (!number(&in, 1, &type) || type != HANDSHAKE || !number(&in, 2, &version) ||
		    !number(&in, 2, &length))
			return false;
		take(&in, length < in.n ? length : in.n, &payload);
		buf_add(out, payload.bytes, payload.n);
	}
	return true;
}

static bool server_name(struct tls_bytes data, struct tls_hello *ret)
{
	struct tls_bytes list, name;
	uint32_t type;

	if (!block(&data, 2, &list))
		return false;
	while (list.n) {
		if (!number(&list, 1, &type) || !block(&list, 2, &name))
			return false;
		if (type == HOST_NAME && !ret->name.n)
			ret->name = name;
	}
	return true;
}

static bool extension(uint32_t type, struct tls_bytes data, struct tls_hello *ret)
{
	switch (type) {
	case SERVER_NAME:
		return server_name(data, ret);
	case ALPN:
		return block(&data, 2, &ret->alpn);
	case SUPPORTED_VERSIONS:
		return block(&data, 1, &ret->versions);
	case ENCRYPTED_CLIENT_HELLO:
		ret->ech = true;
	}
	return true;
}

static bool extensions(struct tls_bytes in, struct tls_hello *ret)
{
	struct tls_bytes data;
	uint32_t type;

	while (in.n)
		if (!number(&in, 2, &type) || !block(&in, 2, &data) || !extension(type, data, ret))
			return false;
	return true;
}

bool tls_hello(const void *bytes, size_t n, struct tls_hello *ret)
{
	struct tls_bytes in = {bytes, n}, part;
	uint32_t type, length, version;

	*ret = (struct tls_hello){0};
	if (!number(&in, 1, &type) || type != CLIENT_HELLO || !number(&in, 3, &length) ||
	    !number(&in, 2, &version))
		return false;
	ret->version = (uint16_t)version;
	if (!take(&in, RANDOM_BYTES, &part) || !block(&in, 1, &part) || !block(&in, 2, &part))
		return false;
	ret->ciphers = (uint32_t)(part.n / 2);
	if (!block(&in, 1, &part))
		return false;
	if (!in.n) /* SSL 3.0 to TLS 1.2 may have no extensions */
		return true;
	if (!number(&in, 2, &length))
		return false;
	/* One that was cut has extensions, too. */
	return extensions((struct tls_bytes){in.bytes, length < in.n ? length : in.n}, ret) &&
	       length <= in.n;
}

bool tls_next_name(struct tls_bytes *list, struct tls_bytes *ret)
{
	return list->n && block(list, 1, ret);
}

bool tls_next_version(struct tls_bytes *list, uint16_t *ret)
{
	uint32_t version;

	if (!number(list, 2, &version))
		return false;
	*ret = (uint16_t)version;
	return true;
}

bool tls_is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 255);
}
